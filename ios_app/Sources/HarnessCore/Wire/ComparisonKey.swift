/// Two records repeat each other if their comparison keys are equal; two networks may be compared if their keys differ in the network
/// alone. A twin of `scripts/records/comparable.py`, held to `tests/golden/comparison_keys.json`; docs/comparability.md gives the reason
/// of each field.
public struct ComparisonKey: Codable, Sendable, Hashable {
    public var contentId: String
    @Nullable public var campaign: String?
    @Nullable public var session: String?
    public var deviceId: String
    public var deviceKind: DeviceKind
    public var deviceModel: String
    public var osBuild: String
    public var harnessName: String
    public var harnessVersion: String
    @Nullable public var harnessBuild: String?
    public var harnessDebug: Bool
    @Nullable public var runtime: String?
    public var backends: [String]
    @Nullable public var charging: Bool?
    public var target: TargetName
    public var scheme: Scheme
    public var numThreads: Int
    public var backend: Backend
    public var loadMode: LoadMode
    public var promptLengths: [Int]
    public var prefillRepetitions: Int
    public var contexts: [Int]
    public var decodeSteps: Int
    public var warmUpSteps: Int
    @Nullable public var sustainedS: Int?
    public var tokenSeed: Int
    public var probeBufferBytes: Int
    public var probePasses: Int
    public var maxContext: Int
    public var prefillChunk: Int

    /// Nil where the run ended before it had an artifact.
    public init?(_ record: RunRecord) {
        guard let artifact = record.artifact else { return nil }
        let plan = record.request.plan, asked = record.request.protocol
        contentId = artifact.contentId
        campaign = plan?.campaign
        session = plan == nil ? record.request.session : nil
        deviceId = plan?.deviceId ?? record.device.model
        (deviceKind, deviceModel, osBuild) = (record.device.kind, record.device.model, record.device.osBuild)
        (harnessName, harnessVersion, harnessDebug) = (record.harness.name, record.harness.version, record.harness.debug)
        harnessBuild = record.harness.build
        runtime = record.observed.map { "\($0.name) \($0.version)" }
        backends = record.observed?.backends ?? []
        charging = record.environmentBefore?.plugged
        (target, scheme) = (artifact.target, artifact.scheme)
        (numThreads, backend, loadMode) = (asked.numThreads, asked.backend, asked.loadMode)
        (promptLengths, prefillRepetitions) = (asked.promptLengths, asked.prefillRepetitions)
        (contexts, decodeSteps, warmUpSteps) = (asked.contexts, asked.decodeSteps, asked.warmUpSteps)
        sustainedS = asked.sustainedS
        (tokenSeed, probeBufferBytes, probePasses) = (asked.tokenSeed, asked.probe.bufferBytes, asked.probe.passes)
        (maxContext, prefillChunk) = (artifact.maxContext, artifact.prefillChunk)
    }

    /// All that two runs must share to be compared, the network apart.
    public var setup: ComparisonKey {
        var setup = self
        setup.contentId = ""
        return setup
    }

    /// The setup of any campaign or session: runs that share it were measured alike, at different times perhaps.
    public var conditions: ComparisonKey {
        var conditions = setup
        conditions.campaign = nil
        conditions.session = nil
        return conditions
    }
}
