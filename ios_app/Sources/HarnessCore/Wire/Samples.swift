/// The bandwidth probe: the denominator of MBU. `best` is the method with the highest median.
public struct Bandwidth: Codable, Sendable, Hashable {
    public var passes: [ProbePasses]
    public var best: ProbeMethod
    public var ceilingBytesPerS: Double

    public init(passes: [ProbePasses], best: ProbeMethod, ceilingBytesPerS: Double) {
        self.passes = passes
        self.best = best
        self.ceilingBytesPerS = ceilingBytesPerS
    }
}

/// Raw passes of one method: each read `bytes`.
public struct ProbePasses: Codable, Sendable, Hashable {
    public var method: ProbeMethod
    public var numThreads: Int
    public var bytes: Int
    public var passNs: [Int]

    public init(method: ProbeMethod, numThreads: Int, bytes: Int, passNs: [Int]) {
        self.method = method
        self.numThreads = numThreads
        self.bytes = bytes
        self.passNs = passNs
    }
}

/// `loadNs` is from opening the files to a model that can be called; `firstForwardNs` the first call, one token at position 0.
public struct Load: Codable, Sendable, Hashable {
    public var loadNs: Int
    public var firstForwardNs: Int

    public init(loadNs: Int, firstForwardNs: Int) {
        self.loadNs = loadNs
        self.firstForwardNs = firstForwardNs
    }
}

/// What the runtime says it did, beside what was asked; nil where it does not say.
public struct ObservedRuntime: Codable, Sendable, Hashable {
    public var name: String
    public var version: String
    @Nullable public var numThreads: Int?
    @Nullable public var loadMode: LoadMode?
    public var backends: [String]

    public init(name: String, version: String, numThreads: Int?, loadMode: LoadMode?, backends: [String]) {
        self.name = name
        self.version = version
        self.numThreads = numThreads
        self.loadMode = loadMode
        self.backends = backends
    }
}

/// The artifact against its `reference.json`.
public struct SelfCheck: Codable, Sendable, Hashable {
    public var steps: Int
    public var decisiveSteps: Int
    public var decisiveMatches: Int
    public var ambiguousSteps: Int
    public var ambiguousMatches: Int
    @Nullable public var firstMismatch: Mismatch?

    public init(
        steps: Int, decisiveSteps: Int, decisiveMatches: Int, ambiguousSteps: Int, ambiguousMatches: Int, firstMismatch: Mismatch?
    ) {
        self.steps = steps
        self.decisiveSteps = decisiveSteps
        self.decisiveMatches = decisiveMatches
        self.ambiguousSteps = ambiguousSteps
        self.ambiguousMatches = ambiguousMatches
        self.firstMismatch = firstMismatch
    }
}

/// The first decisive step whose token is not the reference's.
public struct Mismatch: Codable, Sendable, Hashable {
    public var text: Int
    public var step: Int
    public var expected: Int
    public var actual: Int

    public init(text: Int, step: Int, expected: Int, actual: Int) {
        self.text = text
        self.step = step
        self.expected = expected
        self.actual = actual
    }
}

/// Prompts of one length: nanoseconds from the first call to the first token's id, one for each repetition.
public struct PrefillSamples: Codable, Sendable, Hashable {
    public var promptLength: Int
    public var prefillNs: [Int]

    public init(promptLength: Int, prefillNs: [Int]) {
        self.promptLength = promptLength
        self.prefillNs = prefillNs
    }
}

/// Single-token steps from `context` on; step i attends context + i + 1 positions.
public struct DecodeSamples: Codable, Sendable, Hashable {
    public var context: Int
    public var forwardNs: [Int]
    public var stepNs: [Int]

    public init(context: Int, forwardNs: [Int], stepNs: [Int]) {
        self.context = context
        self.forwardNs = forwardNs
        self.stepNs = stepNs
    }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        context = try keys.decode(Int.self, forKey: .context)
        forwardNs = try keys.decode([Int].self, forKey: .forwardNs)
        stepNs = try keys.decode([Int].self, forKey: .stepNs)
        try keys.require(forwardNs.count == stepNs.count, .forwardNs, "forward_ns and step_ns must have one entry per step")
        try keys.require(forwardNs.allSatisfy { $0 > 0 }, .forwardNs, "no call takes 0 ns or less")
    }
}

/// The sustained phase: steps at one context, over and over; `startNs` is after the start of the phase.
public struct SustainedSamples: Codable, Sendable, Hashable {
    public var context: Int
    public var startNs: [Int]
    public var forwardNs: [Int]
    public var thermal: [ThermalPoint]

    public init(context: Int, startNs: [Int], forwardNs: [Int], thermal: [ThermalPoint]) {
        self.context = context
        self.startNs = startNs
        self.forwardNs = forwardNs
        self.thermal = thermal
    }
}

/// A reading during the sustained phase, `atNs` after its start. On the wire an array of three.
public struct ThermalPoint: Codable, Sendable, Hashable {
    public var atNs: Int
    public var thermalStatus: Int?
    public var batteryCelsius: Double?

    public init(atNs: Int, thermalStatus: Int?, batteryCelsius: Double?) {
        self.atNs = atNs
        self.thermalStatus = thermalStatus
        self.batteryCelsius = batteryCelsius
    }

    public init(from decoder: any Decoder) throws {
        var values = try decoder.unkeyedContainer()
        atNs = try values.decode(Int.self)
        thermalStatus = try values.decode(Int?.self)
        batteryCelsius = try values.decode(Double?.self)
        if !values.isAtEnd {
            throw DecodingError.dataCorruptedError(in: values, debugDescription: "a thermal reading must be [ns, status, celsius]")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.unkeyedContainer()
        try values.encode(atNs)
        try values.encode(thermalStatus)
        try values.encode(batteryCelsius)
    }
}
