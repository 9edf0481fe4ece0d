import HarnessCore

/// The phone's state for people; the record has the numbers and its own concerns.
public struct Conditions: Sendable, Equatable {
    public let line: String
    /// What would make a run's numbers doubtful if it started now.
    public let concerns: [String]

    static let lowBatteryPercent = 25

    public init(_ environment: DeviceEnvironment, harness: HarnessInfo, kind: DeviceKind) {
        let parts = [
            environment.thermalStatus.map { "thermal state \(Self.word($0))" }, environment.batteryPercent.map { "battery \($0) %" },
            environment.batteryCelsius.map { "\($0) °C" }, environment.plugged.map { $0 ? "plugged in" : "not plugged in" },
        ].compactMap { $0 }
        line = parts.isEmpty ? "this phone tells neither temperature nor battery" : parts.joined(separator: ", ")
        let percent = environment.batteryPercent ?? 100
        let all: [(Bool, String)] = [
            (harness.debug, "debug build: the compiler optimises less, so take numbers from the release build"),
            (kind == .emulator, "simulator: its numbers say nothing about any phone"),
            (percent < Self.lowBatteryPercent, "battery at \(percent) %: phones save power below \(Self.lowBatteryPercent) %"),
            (environment.plugged == true, "plugged in: charging warms the phone"),
            (environment.powerSave == true, "low power mode is on: it caps the clocks"),
            ((environment.thermalStatus ?? 0) > 0, "the phone is warm: it may lower its clocks during a run"),
        ]
        concerns = all.filter(\.0).map(\.1)
    }

    /// Apple's words for the statuses that `ProcessInfo.thermalState` becomes in a record.
    static func word(_ status: Int) -> String {
        switch status {
        case 0: "nominal"
        case 1, 2: "fair"
        case 3: "serious"
        default: "critical"
        }
    }

    public var badge: Badge { concerns.isEmpty ? Badge("ready", .good) : Badge("with concerns", .warning) }
}
