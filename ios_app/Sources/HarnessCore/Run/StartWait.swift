/// Waits for the limits on heat and battery that must hold before anything is timed.
struct StartWait {
    let limits: StartLimits
    let device: any DeviceProbe
    let clock: any RunClock
    let journal: Journal

    private static let periodMs = 1000

    /// Ends the run as skipped if they do not hold in time.
    func await() throws {
        let began = clock.monotonicNs()
        while true {
            let now = device.environment()
            let waited = clock.monotonicNs() - began
            journal.note {
                $0.environmentBefore = now
                $0.startWaitNs = waited
            }
            guard let broken = broken(now) else { return }
            if waited / 1_000_000_000 >= limits.waitS {
                _ = try journal.end(.skipped(message: "\(broken) after \(limits.waitS) s"))
                throw RunEnded()
            }
            journal.progress(waited / 1_000_000_000, of: limits.waitS)
            clock.sleep(ms: Self.periodMs)
        }
    }

    /// The first limit that does not hold, in words; a device without the sensor passes.
    private func broken(_ now: DeviceEnvironment) -> String? {
        if let celsius = now.batteryCelsius, let limit = limits.maxBatteryCelsius, celsius > limit {
            return "battery at \(celsius) C, above max_battery_celsius \(limit)"
        }
        if let status = now.thermalStatus, let limit = limits.maxThermalStatus, status > limit {
            return "thermal status \(status), above max_thermal_status \(limit)"
        }
        if let percent = now.batteryPercent, let limit = limits.minBatteryPercent, percent < limit {
            return "battery at \(percent) %, below min_battery_percent \(limit)"
        }
        return nil
    }
}
