@_exported import Foundation

@MainActor open class UIResponder: NSObject {}  // iOS 2
@MainActor open class UIDevice: NSObject {  // iOS 2
    public class var current: UIDevice { fatalError() }  // iOS 2
    public var systemVersion: String { fatalError() }  // iOS 2
    public var isBatteryMonitoringEnabled: Bool { get { fatalError() } set {} }  // iOS 3
    public var batteryLevel: Float { fatalError() }  // iOS 3
    public var batteryState: BatteryState { fatalError() }  // iOS 3
    nonisolated public class var batteryLevelDidChangeNotification: Notification.Name { fatalError() }  // iOS 3
    nonisolated public class var batteryStateDidChangeNotification: Notification.Name { fatalError() }  // iOS 3
    public enum BatteryState: Int, Sendable {  // iOS 3
        case unknown  // iOS 3
        case unplugged  // iOS 3
        case charging  // iOS 3
        case full  // iOS 3
    }
}
@MainActor open class UIApplication: UIResponder {  // iOS 2
    public class var shared: UIApplication { fatalError() }  // iOS 2
    public var isIdleTimerDisabled: Bool { get { fatalError() } set {} }  // iOS 2
    public var applicationState: State { fatalError() }  // iOS 4
    public enum State: Int, Sendable {  // iOS 4
        case active  // iOS 4
        case inactive  // iOS 4
        case background  // iOS 4
    }
    nonisolated public class var willResignActiveNotification: Notification.Name { fatalError() }  // iOS 4
    nonisolated public class var didBecomeActiveNotification: Notification.Name { fatalError() }  // iOS 4
    nonisolated public class var didEnterBackgroundNotification: Notification.Name { fatalError() }  // iOS 4
}
/// Foundation's on Apple's systems; Linux has none of these.
extension ProcessInfo {  // iOS 2
    public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }  // iOS 11
    public var thermalState: ThermalState { fatalError() }  // iOS 11
    public var isLowPowerModeEnabled: Bool { fatalError() }  // iOS 9
}
