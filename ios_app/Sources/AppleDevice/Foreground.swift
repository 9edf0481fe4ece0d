#if canImport(UIKit)
    import Foundation
    import UIKit

    /// What only the main actor may ask: battery, and whether the app was in front. Kept up to date by notifications, so that the thread
    /// that measures never waits for the main one. The app calls `start` when it begins.
    public final class Foreground: @unchecked Sendable {
        public struct Readings: Sendable {
            public var batteryPercent: Int?
            public var plugged: Bool?
            /// False if the app has left the foreground since the reading before; nil before `start`.
            public var foreground: Bool?
        }

        public static let shared = Foreground()

        private let lock = NSLock()
        private var batteryPercent: Int?
        private var plugged: Bool?
        private var isStarted = false
        private var active = true
        private var wasAway = false

        @MainActor public func start() {
            if lock.withLock({ isStarted }) { return }
            UIDevice.current.isBatteryMonitoringEnabled = true
            let isActive = UIApplication.shared.applicationState == .active
            lock.withLock { (isStarted, active) = (true, isActive) }
            readBattery()
            observe(UIApplication.willResignActiveNotification) { $0.left() }
            observe(UIApplication.didEnterBackgroundNotification) { $0.left() }
            observe(UIApplication.didBecomeActiveNotification) { $0.came() }
            observe(UIDevice.batteryLevelDidChangeNotification) { $0.readBattery() }
            observe(UIDevice.batteryStateDidChangeNotification) { $0.readBattery() }
        }

        public func readings() -> Readings {
            lock.withLock {
                defer { wasAway = !active }
                return Readings(batteryPercent: batteryPercent, plugged: plugged, foreground: isStarted ? active && !wasAway : nil)
            }
        }

        @MainActor private func observe(_ name: Notification.Name, _ change: @escaping @MainActor @Sendable (Foreground) -> Void) {
            NotificationCenter.default.addObserver(forName: name, object: nil, queue: .main) { [weak self] _ in
                MainActor.assumeIsolated { if let self { change(self) } }
            }
        }

        private func left() {
            lock.withLock { (active, wasAway) = (false, true) }
        }

        private func came() { lock.withLock { active = true } }

        /// The level is rounded to 0.05 since iOS 17; below 0 it is not known.
        @MainActor private func readBattery() {
            let device = UIDevice.current
            let level = device.batteryLevel
            let state = device.batteryState
            lock.withLock {
                batteryPercent = level < 0 ? nil : Int((level * 100).rounded())
                plugged = state == .unknown ? nil : state == .charging || state == .full
            }
        }
    }
#endif
