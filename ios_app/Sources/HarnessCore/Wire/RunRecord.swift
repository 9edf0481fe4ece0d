/// Everything that happened in a run; raw. `scripts/records/record.py` is the truth of these types and describes each field.
/// Parts that the run did not reach are nil or empty: null is not measured, 0 is a measurement.
public struct RunRecord: Codable, Sendable, Hashable {
    public static let schema = "deepnarrow/run-record/1"

    public var schema: String
    public var request: RunRequest
    public var outcome: Outcome
    public var harness: HarnessInfo
    public var device: DeviceFacts
    @Nullable public var artifact: ArtifactFacts?
    public var startedUtc: String
    @Nullable public var durationNs: Int?
    @Nullable public var startWaitNs: Int?
    @Nullable public var environmentBefore: DeviceEnvironment?
    @Nullable public var environmentAfter: DeviceEnvironment?
    @Nullable public var bandwidth: Bandwidth?
    @Nullable public var load: Load?
    @Nullable public var observed: ObservedRuntime?
    @Nullable public var selfCheck: SelfCheck?
    public var prefill: [PrefillSamples]
    public var decode: [DecodeSamples]
    @Nullable public var sustained: SustainedSamples?
    public var memory: [MemoryPoint]
    public var concerns: [Concern]
    @Nullable public var evidence: Evidence?

    /// The record of a run that has just begun.
    public init(request: RunRequest, harness: HarnessInfo, device: DeviceFacts, startedUtc: String) {
        schema = Self.schema
        self.request = request
        outcome = .running(stage: .environment)
        self.harness = harness
        self.device = device
        artifact = nil
        self.startedUtc = startedUtc
        durationNs = nil
        startWaitNs = nil
        environmentBefore = nil
        environmentAfter = nil
        bandwidth = nil
        load = nil
        observed = nil
        selfCheck = nil
        prefill = []
        decode = []
        sustained = nil
        memory = []
        concerns = []
        evidence = nil
    }

    /// Completed, and nothing makes its numbers unusable.
    public var isValid: Bool { outcome == .completed && concerns.allSatisfy { $0.severity == .warning } }
}

/// How a run stands or ended.
public enum Outcome: Codable, Sendable, Hashable {
    /// Not over. In a record found later: the process was killed in this stage.
    case running(stage: Stage)
    case completed
    case failed(stage: Stage, failure: FailureKind, message: String)
    /// A start limit did not hold in time; the message names it and the value.
    case skipped(message: String)

    /// The name of a case on the wire.
    public enum Kind: String, Word { case running, completed, failed, skipped }

    private enum CodingKeys: CodingKey { case kind, stage, failure, message }

    public var kind: Kind {
        switch self {
        case .running: .running
        case .completed: .completed
        case .failed: .failed
        case .skipped: .skipped
        }
    }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        switch try keys.decode(Kind.self, forKey: .kind) {
        case .running: self = .running(stage: try keys.decode(Stage.self, forKey: .stage))
        case .completed: self = .completed
        case .failed:
            self = .failed(
                stage: try keys.decode(Stage.self, forKey: .stage), failure: try keys.decode(FailureKind.self, forKey: .failure),
                message: try keys.decode(String.self, forKey: .message))
        case .skipped: self = .skipped(message: try keys.decode(String.self, forKey: .message))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var keys = encoder.container(keyedBy: CodingKeys.self)
        try keys.encode(kind, forKey: .kind)
        switch self {
        case .running(let stage): try keys.encode(stage, forKey: .stage)
        case .completed: break
        case .failed(let stage, let failure, let message):
            try keys.encode(stage, forKey: .stage)
            try keys.encode(failure, forKey: .failure)
            try keys.encode(message, forKey: .message)
        case .skipped(let message): try keys.encode(message, forKey: .message)
        }
    }
}

/// `done.json`, written last: the record is complete and has this hash.
public struct Done: Codable, Sendable, Hashable {
    public static let schema = "deepnarrow/done/1"

    public var schema: String
    public var runId: String
    public var recordSha256: String

    public init(runId: String, recordSha256: String) {
        schema = Self.schema
        self.runId = runId
        self.recordSha256 = recordSha256
    }
}
