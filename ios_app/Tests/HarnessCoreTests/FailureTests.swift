import Foundation
import Testing

@testable import HarnessCore

/// Runs that go wrong: each leaves a record that says how.
@Suite struct FailureTests {
    /// Closures stand here and not in the macros, which Swift 6.0 does not compile.
    private static let stages = Stage.allCases.filter { $0 != .sustained }

    @Test func runtimeFailuresAreOfTheirStage() throws {
        let run = try ScriptedRun()
        // The 1st forward belongs to the load.
        run.engine.onForward = { if $0 > 0 { throw RuntimeFailure("bad\n  input") } }
        #expect(try run.run().outcome == .failed(stage: .selfCheck, failure: .runtime, message: "bad input"))
        #expect(run.isDone)
    }

    @Test func aModelThatCannotBeLoaded() throws {
        let run = try ScriptedRun()
        run.engine.onLoad = { throw RuntimeFailure("truncated") }
        #expect(try run.run().outcome == .failed(stage: .load, failure: .load, message: "truncated"))
    }

    @Test func noMemory() throws {
        let run = try ScriptedRun()
        run.engine.onLoad = { throw RuntimeFailure("bad_alloc", outOfMemory: true) }
        #expect(try run.run().outcome == .failed(stage: .load, failure: .outOfMemory, message: "bad_alloc"))
    }

    @Test func faultsOfTheHarnessAreNamedSo() throws {
        struct Surprise: Error {}
        let run = try ScriptedRun()
        run.engine.onLoad = { throw Surprise() }
        #expect(try run.run().outcome == .failed(stage: .load, failure: .internal, message: "Surprise: Surprise()"))
    }

    /// A process that is killed leaves the record of the stage before, `running` in its stage, and no done.json.
    @Test(arguments: stages)
    func aKillInAStageLeavesThatStage(stage: Stage) throws {
        let run = try ScriptedRun()
        var atStage: RunRecord?
        var wasDone = true
        run.progress.onStage = { reached in
            guard reached == stage else { return }
            atStage = try? run.stored()
            wasDone = run.isDone
        }
        _ = try run.run()
        #expect(atStage?.outcome == .running(stage: stage))
        #expect(!wasDone)
    }

    @Test func aFolderThatGoesAwayIsAStorageFailure() throws {
        let run = try ScriptedRun()
        run.progress.onStage = { if $0 == .prefill { try? FileManager.default.removeItem(at: run.runFolder) } }
        #expect(throws: StorageFailure.self) { try run.run() }
    }

    /// What is left of a record is whole, and the sibling that could not be completed is gone.
    @Test func aRecordThatCannotBeReplacedStays() throws {
        let run = try ScriptedRun()
        run.progress.onStage = { stage in
            guard stage == .prefill else { return }
            // A folder cannot be replaced by a file.
            let file = run.runFolder.appendingPathComponent(".record.json.tmp")
            try? FileManager.default.createDirectory(at: file, withIntermediateDirectories: true)
        }
        #expect(throws: StorageFailure.self) { try run.run() }
        #expect(try run.stored().outcome == .running(stage: .prefill))
        #expect(!run.isDone)
    }

    @Test func aRunIdIsUsedOnce() throws {
        let run = try ScriptedRun()
        _ = try run.run()
        #expect(throws: UserError("\(run.runFolder.path) exists; every run needs a run_id of its own")) { try run.run() }
        #expect(throws: UserError.self) { try RunStore(out: run.out, runId: "run-1", takingOver: true) }
    }

    @Test func aKilledRunMayBeTakenOver() throws {
        let out = try Repository.temporaryFolder()
        let first = try RunStore(out: out, runId: "run-1")
        try Data("x".utf8).write(to: first.recordFile)
        let second = try RunStore(out: out, runId: "run-1", takingOver: true)
        #expect(!FileManager.default.fileExists(atPath: second.recordFile.path))
        #expect(throws: UserError.self) { try RunStore(out: out, runId: "../evil") }
    }

    @Test func anArtifactThatIsNotAsked() throws {
        let run = try ScriptedRun()
        run.request.contentId = "0123"
        guard case .failed(.environment, .artifact, let message) = try run.run().outcome else {
            Issue.record("not refused")
            return
        }
        #expect(message.hasSuffix("but the request is for 0123"))
    }

    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let change: @Sendable (inout RunProtocol) -> Void
        let message: String

        init(_ message: String, _ change: @escaping @Sendable (inout RunProtocol) -> Void) {
            (testDescription, self.message, self.change) = (message, message, change)
        }
    }

    private static let changes = [
        Change("num_threads 9: this machine has 8 cores; it only plays Scripted") { $0.numThreads = 9 },
        Change("the protocol needs 1025 positions; max_context is 1024") { $0.contexts = [1021] },
        Change("the protocol needs 9223372036854775807 positions; max_context is 1024") { $0.contexts = [Int.max - 1] },
        Change("backend xnnpack: onnx artifacts run on default, cpu here") { $0.backend = .xnnpack },
        Change("load_mode mlock: onnx artifacts load with default, mmap here") { $0.loadMode = .mlock },
        Change("probe.passes 10001: at most 10000 here") { $0.probe.passes = 10_001 },
        Change("prefill_repetitions 10001: at most 10000 here") { $0.prefillRepetitions = 10_001 },
        Change("probe.buffer_bytes 2147483648: at most 2147483647 here") { $0.probe.bufferBytes = 1 << 31 },
        Change("warm_up_steps 1000001: at most 1000000 here") { $0.warmUpSteps = 1_000_001 },
        Change("sustained_s 3601: at most 3600 here") { $0.sustainedS = 3601 },
    ]

    @Test(arguments: changes)
    func requestsThatCannotBeDone(change: Change) throws {
        let run = try ScriptedRun()
        change.change(&run.request.protocol)
        #expect(try run.run().outcome == .failed(stage: .environment, failure: .request, message: change.message))
        #expect(run.engine.log.calls.isEmpty)
    }
}
