/// What a run is asked to do. `scripts/records/request.py` is the truth of these types and describes each field.
public struct RunRequest: Codable, Sendable, Hashable {
    public static let schema = "deepnarrow/run-request/1"

    public var schema: String
    public var runId: String
    /// One `farm run`, or one press of the app's button, that the run belongs to; nil for a run by hand.
    @Nullable public var session: String?
    /// Of the artifact that the run must find in its folder; nil takes any.
    @Nullable public var contentId: String?
    public var `protocol`: RunProtocol
    public var startLimits: StartLimits
    @Nullable public var plan: PlanPosition?

    public init(
        runId: String, session: String? = nil, contentId: String? = nil, protocol: RunProtocol = RunProtocol(),
        startLimits: StartLimits = StartLimits(), plan: PlanPosition? = nil
    ) {
        schema = Self.schema
        self.runId = runId
        self.session = session
        self.contentId = contentId
        self.protocol = `protocol`
        self.startLimits = startLimits
        self.plan = plan
    }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        try keys.requireSchema(keys.value(.schema, default: Self.schema), Self.schema, .schema)
        let runId = try keys.decode(String.self, forKey: .runId)
        try keys.requireRunId(runId, .runId)
        let session = try keys.value(.session, default: String?.none)
        if let session { try keys.requireRunId(session, .session) }
        self.init(
            runId: runId, session: session,
            contentId: try keys.value(.contentId, default: nil),
            protocol: try keys.value(.protocol, default: RunProtocol()),
            startLimits: try keys.value(.startLimits, default: StartLimits()),
            plan: try keys.value(.plan, default: nil))
    }
}

/// What is measured.
public struct RunProtocol: Codable, Sendable, Hashable {
    public var numThreads = 4
    public var backend = Backend.default
    public var loadMode = LoadMode.default
    public var promptLengths = [64, 512]
    public var prefillRepetitions = 3
    /// Positions in the cache before the first timed step.
    public var contexts = [0, 512]
    public var decodeSteps = 128
    public var warmUpSteps = 8
    @Nullable public var sustainedS: Int?
    public var tokenSeed = 7
    public var probe = ProbeProtocol()

    public init() { sustainedS = nil }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        var read = Self()
        read.numThreads = try keys.value(.numThreads, default: read.numThreads)
        read.backend = try keys.value(.backend, default: read.backend)
        read.loadMode = try keys.value(.loadMode, default: read.loadMode)
        read.promptLengths = try keys.value(.promptLengths, default: read.promptLengths)
        read.prefillRepetitions = try keys.value(.prefillRepetitions, default: read.prefillRepetitions)
        read.contexts = try keys.value(.contexts, default: read.contexts)
        read.decodeSteps = try keys.value(.decodeSteps, default: read.decodeSteps)
        read.warmUpSteps = try keys.value(.warmUpSteps, default: read.warmUpSteps)
        read.sustainedS = try keys.value(.sustainedS, default: read.sustainedS)
        read.tokenSeed = try keys.value(.tokenSeed, default: read.tokenSeed)
        read.probe = try keys.value(.probe, default: read.probe)
        try keys.requireAtLeast(1, read.numThreads, .numThreads)
        try keys.requireAscending(read.promptLengths, least: 1, .promptLengths)
        try keys.requireAtLeast(1, read.prefillRepetitions, .prefillRepetitions)
        try keys.requireAscending(read.contexts, least: 0, .contexts)
        try keys.requireAtLeast(2, read.decodeSteps, .decodeSteps)
        try keys.requireAtLeast(0, read.warmUpSteps, .warmUpSteps)
        if let sustainedS = read.sustainedS { try keys.requireAtLeast(1, sustainedS, .sustainedS) }
        try keys.requireAtLeast(0, read.tokenSeed, .tokenSeed)
        self = read
    }

    /// Positions a cache must hold; `Int.max` where the sum of two numbers of a request is too large for an Int.
    public var positions: Int {
        let (sum, overflow) = contexts.last!.addingReportingOverflow(decodeSteps)
        return max(promptLengths.last!, overflow ? Int.max : sum)
    }
}

/// The memory-bandwidth probe: every thread reads its part of one buffer; the median pass counts.
public struct ProbeProtocol: Codable, Sendable, Hashable {
    public var bufferBytes = 256 << 20
    public var passes = 9

    public init() {}

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        bufferBytes = try keys.value(.bufferBytes, default: bufferBytes)
        passes = try keys.value(.passes, default: passes)
        try keys.requireAtLeast(1 << 20, bufferBytes, .bufferBytes)
        try keys.requireAtLeast(3, passes, .passes)
    }
}

/// Limits that must hold before anything is timed; nil switches one off. Devices without a sensor pass.
public struct StartLimits: Codable, Sendable, Hashable {
    @Nullable public var maxBatteryCelsius: Double?
    @Nullable public var maxThermalStatus: Int?
    @Nullable public var minBatteryPercent: Int?
    /// How long to wait for them before the run is recorded as skipped.
    public var waitS = 300

    public init() {
        maxBatteryCelsius = 37.0
        maxThermalStatus = 0
        minBatteryPercent = nil
    }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        var read = Self()
        read.maxBatteryCelsius = try keys.value(.maxBatteryCelsius, default: read.maxBatteryCelsius)
        read.maxThermalStatus = try keys.value(.maxThermalStatus, default: read.maxThermalStatus)
        read.minBatteryPercent = try keys.value(.minBatteryPercent, default: read.minBatteryPercent)
        read.waitS = try keys.value(.waitS, default: read.waitS)
        try keys.requireAtLeast(0, read.waitS, .waitS)
        self = read
    }
}

/// Where a run stands in a campaign.
public struct PlanPosition: Codable, Sendable, Hashable {
    public var campaign: String
    public var cell: String
    public var block: String
    public var repetition: Int
    public var order: Int
    public var deviceId: String
    public var attempt: Int
    public var canary: Bool

    public init(
        campaign: String, cell: String, block: String, repetition: Int, order: Int, deviceId: String, attempt: Int = 0, canary: Bool = false
    ) {
        self.campaign = campaign
        self.cell = cell
        self.block = block
        self.repetition = repetition
        self.order = order
        self.deviceId = deviceId
        self.attempt = attempt
        self.canary = canary
    }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        campaign = try keys.decode(String.self, forKey: .campaign)
        try keys.requireRunId(campaign, .campaign)
        cell = try keys.decode(String.self, forKey: .cell)
        block = try keys.decode(String.self, forKey: .block)
        repetition = try keys.decode(Int.self, forKey: .repetition)
        order = try keys.decode(Int.self, forKey: .order)
        deviceId = try keys.decode(String.self, forKey: .deviceId)
        attempt = try keys.value(.attempt, default: 0)
        canary = try keys.value(.canary, default: false)
    }
}

/// Token `index` of the synthetic text: SplitMix64 (Steele et al. 2014) of the counter, modulo the vocabulary.
public func syntheticToken(seed: Int, index: Int, vocabSize: Int) -> Int {
    var z = UInt64(bitPattern: Int64(seed)) &+ (UInt64(index) &+ 1) &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int(((z ^ (z >> 31)) >> 1) % UInt64(vocabSize))
}
