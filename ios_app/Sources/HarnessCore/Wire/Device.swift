/// The program that ran; `build` is a commit or a hash of the package.
public struct HarnessInfo: Codable, Sendable, Hashable {
    public var name: String
    public var version: String
    @Nullable public var build: String?
    public var debug: Bool

    public init(name: String, version: String, build: String?, debug: Bool) {
        self.name = name
        self.version = version
        self.build = build
        self.debug = debug
    }
}

/// A processor core.
public struct Core: Codable, Sendable, Hashable {
    public var id: Int
    @Nullable public var maxKhz: Int?

    public init(id: Int, maxKhz: Int?) {
        self.id = id
        self.maxKhz = maxKhz
    }
}

/// The machine; `osBuild` is Apple's build number or the kernel's release.
public struct DeviceFacts: Codable, Sendable, Hashable {
    public var kind: DeviceKind
    public var os: String
    public var osVersion: String
    public var osBuild: String
    @Nullable public var manufacturer: String?
    public var model: String
    @Nullable public var soc: String?
    public var abi: String
    public var cores: [Core]
    @Nullable public var ramBytes: Int?

    public init(
        kind: DeviceKind, os: String, osVersion: String, osBuild: String, manufacturer: String?, model: String, soc: String?, abi: String,
        cores: [Core], ramBytes: Int?
    ) {
        self.kind = kind
        self.os = os
        self.osVersion = osVersion
        self.osBuild = osBuild
        self.manufacturer = manufacturer
        self.model = model
        self.soc = soc
        self.abi = abi
        self.cores = cores
        self.ramBytes = ramBytes
    }
}

/// The device at one moment.
public struct DeviceEnvironment: Codable, Sendable, Hashable {
    public var timeUtc: String
    public var monotonicNs: Int
    @Nullable public var bootNs: Int?
    @Nullable public var thermalStatus: Int?
    @Nullable public var thermalHeadroom: Double?
    @Nullable public var batteryPercent: Int?
    @Nullable public var batteryCelsius: Double?
    @Nullable public var batteryCurrentUa: Int?
    @Nullable public var plugged: Bool?
    @Nullable public var powerSave: Bool?
    @Nullable public var foreground: Bool?
    public var coreKhz: [Int?]
    @Nullable public var availableRamBytes: Int?
    @Nullable public var loadAverage: Double?

    /// All readings unknown but the clocks.
    public init(timeUtc: String, monotonicNs: Int, bootNs: Int?) {
        self.timeUtc = timeUtc
        self.monotonicNs = monotonicNs
        self.bootNs = bootNs
        thermalStatus = nil
        thermalHeadroom = nil
        batteryPercent = nil
        batteryCelsius = nil
        batteryCurrentUa = nil
        plugged = nil
        powerSave = nil
        foreground = nil
        coreKhz = []
        availableRamBytes = nil
        loadAverage = nil
    }
}

/// Memory of the process once a stage was over.
public struct MemoryPoint: Codable, Sendable, Hashable {
    public var after: Stage
    @Nullable public var rssBytes: Int?
    @Nullable public var anonymousBytes: Int?
    @Nullable public var fileBytes: Int?
    @Nullable public var swapBytes: Int?
    @Nullable public var highWaterBytes: Int?

    public init(after: Stage, rssBytes: Int?, anonymousBytes: Int?, fileBytes: Int?, swapBytes: Int?, highWaterBytes: Int?) {
        self.after = after
        self.rssBytes = rssBytes
        self.anonymousBytes = anonymousBytes
        self.fileBytes = fileBytes
        self.swapBytes = swapBytes
        self.highWaterBytes = highWaterBytes
    }
}

/// Something wrong with a run that ran.
public struct Concern: Codable, Sendable, Hashable {
    public var code: ConcernCode
    public var severity: Severity
    public var detail: String

    public init(code: ConcernCode, severity: Severity, detail: String) {
        self.code = code
        self.severity = severity
        self.detail = detail
    }
}

/// What was found after a crash; nil where the device told nothing.
public struct Evidence: Codable, Sendable, Hashable {
    @Nullable public var exitInfo: String?
    @Nullable public var crashLog: String?
    @Nullable public var output: String?

    public init(exitInfo: String?, crashLog: String?, output: String?) {
        self.exitInfo = exitInfo
        self.crashLog = crashLog
        self.output = output
    }
}
