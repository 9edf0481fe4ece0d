#if os(Linux)
    import Foundation
    import HarnessCore
    import Testing

    @testable import LinuxDevice

    /// Readings of this machine, and of files that play another one.
    @Suite struct LinuxDeviceTests {
        private let info = HarnessInfo(name: "deepnarrow-swift", version: harnessVersion, build: nil, debug: true)

        @Test func thisMachine() throws {
            let probe = LinuxProbe(info, clock: LinuxClock())
            let device = probe.device()
            #expect(device.kind == .desktop)
            #expect(device.cores.count >= probe.usableCores() && probe.usableCores() >= 1)
            let point = probe.memory(after: .load)
            #expect(try #require(point.rssBytes) > 1 << 20)
            #expect(try #require(point.highWaterBytes) >= point.rssBytes!)
            let now = probe.environment()
            #expect(now.bootNs! >= now.monotonicNs)
            #expect(now.loadAverage != nil && now.availableRamBytes != nil)
            #expect(try #require(probe.foreignCpuNs()) > 0)
        }

        @Test func filesOfTheKernel() throws {
            let root = try Repository.temporaryFolder().path + "/"
            func write(_ path: String, _ text: String) throws {
                let file = URL(fileURLWithPath: root + path)
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: file)
            }
            try write("sys/devices/system/cpu/possible", "0-2,5\n")
            try write("sys/devices/system/cpu/cpu5/cpufreq/scaling_max_freq", "1800000\n")
            try write("proc/self/status", "Name:\tx\nVmRSS:\t    2048 kB\nCpus_allowed_list:\t0-1\n")
            try write("proc/stat", "cpu  10 1 20 1000 50 2 3 4 0 0\ncpu0 1\n")
            try write("proc/self/stat", "1 (a ) b) S 0 0 0 0 0 0 0 0 0 0 5 6 0 0\n")
            let proc = ProcFiles(root: root)
            #expect(proc.cpuIds() == [0, 1, 2, 5])
            #expect(proc.capKhz(5) == 1_800_000 && proc.capKhz(0) == nil)
            #expect(proc.statusBytes("VmRSS") == 2048 * 1024 && proc.statusBytes("VmHWM") == nil)
            #expect(proc.allowedCpus() == 2)
            // Busy are 10 + 1 + 20 + 2 + 3 + 4 ticks, without this process's 5 and 6.
            #expect(proc.foreignTicks() == 29)
            #expect(ProcFiles(root: root + "nothing/").cpuIds().isEmpty)
        }

        /// Longer than one read gives.
        @Test func mapsAreReadToTheirEnd() throws {
            let file = try Repository.temporaryFolder().appendingPathComponent("mapped")
            try Data(count: 1 << 16).write(to: file)
            #expect(isMapped(file) == false)
            let data = try Data(contentsOf: file, options: .alwaysMapped)
            #expect(isMapped(file) == true)
            #expect(data.count == 1 << 16)
        }
    }
#endif
