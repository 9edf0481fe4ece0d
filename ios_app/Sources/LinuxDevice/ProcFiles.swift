import Foundation
import HarnessCore

/// The kernel's text files. A value that cannot be read is nil.
public struct ProcFiles: Sendable {
    private let root: String

    public init(root: String = "/") { self.root = root }

    func text(_ path: String) -> String? { kernelText(root + path) }

    /// Ids of the processors the kernel knows, also of those that are switched off now.
    func cpuIds() -> [Int] { Self.ranges(text("sys/devices/system/cpu/possible") ?? "") }

    func maxKhz(_ cpu: Int) -> Int? { number("sys/devices/system/cpu/cpu\(cpu)/cpufreq/cpuinfo_max_freq") }

    func currentKhz(_ cpu: Int) -> Int? { number("sys/devices/system/cpu/cpu\(cpu)/cpufreq/scaling_cur_freq") }

    /// What the kernel lets the core reach now; heat lowers it.
    func capKhz(_ cpu: Int) -> Int? { number("sys/devices/system/cpu/cpu\(cpu)/cpufreq/scaling_max_freq") }

    /// Runnable processes over the last minute.
    func loadAverage() -> Double? { text("proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) } }

    /// A line of `/proc/self/status` such as `VmHWM`, in bytes.
    func statusBytes(_ key: String) -> Int? { bytes(text("proc/self/status"), key) }

    /// `MemTotal` and the like of `/proc/meminfo`, in bytes.
    func meminfoBytes(_ key: String) -> Int? { bytes(text("proc/meminfo"), key) }

    /// Processors that this process may run on.
    func allowedCpus() -> Int? { line(text("proc/self/status"), "Cpus_allowed_list").map { Self.ranges($0).count } }

    func processor() -> String? { line(text("proc/cpuinfo"), "model name") }

    func kernelRelease() -> String? { text("proc/sys/kernel/osrelease").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) } }

    /// Lets `VmHWM` begin anew at the present size. False where the kernel has no such file or closes it to this process.
    func startPeakAnew() -> Bool {
        guard let file = FileHandle(forWritingAtPath: root + "proc/self/clear_refs") else { return false }
        defer { try? file.close() }
        return (try? file.write(contentsOf: Data("5".utf8))) != nil
    }

    /// Time of all processes but this one, in the kernel's ticks of 10 ms: user, nice, system, idle, iowait, irq, softirq, steal.
    func foreignTicks() -> Int? {
        let all = text("proc/stat")?.split(separator: "\n").first?.split(separator: " ").dropFirst().compactMap { Int($0) }
        let own = text("proc/self/stat")?.split(separator: ")").last?.split(separator: " ")
        guard let all, all.count >= 8, let own, own.count >= 13, let user = Int(own[11]), let system = Int(own[12]) else { return nil }
        return all.prefix(8).reduce(0, +) - all[3] - all[4] - user - system
    }

    private func number(_ path: String) -> Int? { text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) } }

    private func line(_ text: String?, _ key: String) -> String? {
        text?.split(separator: "\n").first { $0.hasPrefix(key) }
            .flatMap { $0.split(separator: ":", maxSplits: 1).last }.map { $0.trimmingCharacters(in: .whitespaces) }
    }

    private func bytes(_ text: String?, _ key: String) -> Int? {
        line(text, key + ":")?.split(separator: " ").first.flatMap { Int($0) }.map { $0 * 1024 }
    }

    private static func ranges(_ text: String) -> [Int] {
        text.trimmingCharacters(in: .whitespacesAndNewlines).split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }
}
