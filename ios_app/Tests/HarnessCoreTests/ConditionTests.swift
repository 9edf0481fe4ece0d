import Foundation
import Testing

@testable import HarnessCore

/// Limits before the run and what is held against it afterwards.
@Suite struct ConditionTests {
    @Test func aHotPhoneIsWaitedFor() throws {
        let run = try ScriptedRun()
        run.device.change = { reading, now in now.batteryCelsius = reading < 3 ? 40 : 36 }
        let record = try run.run()
        #expect(record.outcome == .completed)
        #expect(record.environmentBefore?.batteryCelsius == 36)
        #expect((2_900_000_000...3_100_000_000).contains(record.startWaitNs!))
    }

    @Test func aPhoneThatStaysHotIsSkipped() throws {
        let run = try ScriptedRun()
        run.request.startLimits.waitS = 5
        run.device.change = { _, now in now.batteryCelsius = 41.5 }
        let record = try run.run()
        #expect(record.outcome == .skipped(message: "battery at 41.5 C, above max_battery_celsius 37.0 after 5 s"))
        #expect(record.bandwidth == nil)
        #expect(run.engine.log.calls.isEmpty)
        #expect(run.isDone)
    }

    @Test func otherLimits() throws {
        let run = try ScriptedRun()
        run.request.startLimits.waitS = 0
        run.device.change = { _, now in now.thermalStatus = 1 }
        #expect(try run.run().outcome == .skipped(message: "thermal status 1, above max_thermal_status 0 after 0 s"))
        run.request.runId = "run-2"
        run.request.startLimits.maxThermalStatus = nil
        run.request.startLimits.minBatteryPercent = 50
        run.device.change = { _, now in now.batteryPercent = 49 }
        #expect(try run.run().outcome == .skipped(message: "battery at 49 %, below min_battery_percent 50 after 0 s"))
    }

    @Test func aWaitOfAnySizeIsNoOverflow() throws {
        let run = try ScriptedRun()
        run.request.startLimits.waitS = Int.max
        #expect(try run.run().outcome == .completed)
    }

    @Test func clockJumps() throws {
        let run = try ScriptedRun()
        run.progress.onStage = { if $0 == .decode { run.clock.bootOffsetNs += 500_000_000 } }
        let slept = try run.run()
        #expect(slept.concerns == [Concern(code: .clockJump, severity: .invalid, detail: "the device slept or was stopped for 500 ms during the run")])
        #expect(!slept.isValid)
        run.request.runId = "run-2"
        run.progress.onStage = { if $0 == .decode { run.clock.wallOffsetMs -= 3000 } }
        #expect(try run.run().concerns == [Concern(code: .clockJump, severity: .warning, detail: "the wall clock jumped by -3000 ms")])
    }

    @Test func theBackground() throws {
        let run = try ScriptedRun()
        run.device.change = { reading, now in now.foreground = reading == 0 }
        #expect(try run.run().concerns == [Concern(code: .background, severity: .invalid, detail: "the app was not in the foreground")])
    }

    @Test func powerAndHeat() throws {
        let run = try ScriptedRun()
        run.device.change = { reading, now in
            now.batteryPercent = 20
            now.powerSave = true
            now.plugged = false
            now.thermalStatus = reading == 0 ? 0 : 2
            now.batteryCelsius = reading == 0 ? 30 : 38
        }
        let found = try run.run().concerns.map { "\($0.code.rawValue) \($0.severity.rawValue)" }
        #expect(found == ["power-save invalid", "low-battery warning", "thermal-status invalid", "battery-temperature warning"])
        run.request.runId = "run-2"
        run.device.change = { reading, now in
            now.plugged = true
            now.batteryPercent = 10
            now.thermalStatus = reading == 0 ? 0 : 1
        }
        #expect(try run.run().concerns.map(\.code) == [.charging, .thermalStatus])
    }

    @Test func whatTheRuntimeSays() throws {
        let run = try ScriptedRun()
        run.request.protocol.backend = .cpu
        run.request.protocol.loadMode = .mmap
        run.engine.observed = ObservedRuntime(name: "r", version: "1", numThreads: 3, loadMode: .file, backends: ["cpu-and-gpu", "gpu:3"])
        let record = try run.run()
        #expect(record.concerns.map(\.code) == [.threadsDiffer, .loadModeDiffers, .backendDiffers])
        #expect(record.concerns.allSatisfy { $0.severity == .invalid })
        run.request.runId = "run-2"
        run.engine.observed = ObservedRuntime(name: "r", version: "1", numThreads: 1, loadMode: .mmap, backends: ["CPUExecutionProvider"])
        #expect(try run.run().isValid)
    }

    @Test(arguments: [
        ("CPUExecutionProvider", Backend.cpu, true), ("XnnpackBackend", .xnnpack, true), ("cpu-and-gpu", .cpu, false),
        ("cpu-and-neural-engine", .cpuAndNeuralEngine, true), ("cpu:118", .cpu, true), ("CoreMLExecutionProvider", .cpu, false),
    ])
    func backendWords(observed: String, asked: Backend, names: Bool) { #expect(BackendWords.names(observed, asked) == names) }

    @Test func theMachine() throws {
        let run = try ScriptedRun()
        run.device.info.debug = true
        run.device.kind = .emulator
        run.progress.onStage = { stage in
            guard stage == .finish else { return }
            run.device.foreignNs = 1_000_000_000
            run.device.capsKhz = [1_000_000]
        }
        #expect(try run.run().concerns.map(\.code) == [.debugBuild, .emulator, .busyMachine, .frequencyDrop])
    }

    /// A peak that includes the probe's buffer is no number of the model's.
    @Test func aPeakThatCannotBeReset() throws {
        let run = try ScriptedRun()
        #expect(try run.run().memory.allSatisfy { $0.highWaterBytes == 120 })
        run.request.runId = "run-2"
        run.device.resetsPeak = false
        #expect(try run.run().memory.allSatisfy { $0.highWaterBytes == nil })
    }
}
