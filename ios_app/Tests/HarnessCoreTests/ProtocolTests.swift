import Foundation
import Testing

@testable import HarnessCore

/// The order of a run, against a scripted runtime.
@Suite struct ProtocolTests {
    @Test func stagesComeInTheirOrder() throws {
        let run = try ScriptedRun()
        run.request.protocol.sustainedS = 1
        let record = try run.run()
        #expect(record.outcome == .completed)
        #expect(run.progress.stages == Stage.allCases)
        #expect(try run.stored() == record)
        let done = try Wire.readDone(run.runFolder.appendingPathComponent("done.json"))
        #expect(try done.recordSha256 == sha256(run.runFolder.appendingPathComponent("record.json")))
        #expect(record.memory.map(\.after) == [.load, .selfCheck, .warmUp, .prefill, .decode, .sustained, .finish])
    }

    /// After the self-check: warm-up prompts, timed prompts, then for each context its prompt, steps at one place and steps onwards.
    @Test func callsComeInTheirOrder() throws {
        let run = try ScriptedRun()
        try run.writeArtifact(reference: Self.noTexts)
        _ = try run.run()
        let prompts = ["3@0"] + ["128@0", "128@128", "44@256"]
        let contexts = ["1@0", "1@0", "1@0", "1@1", "1@2", "1@3", "5@0", "1@5", "1@5", "1@5", "1@6", "1@7", "1@8"]
        let expected = ["1@0"] + prompts + ["3@0", "3@0"] + Array(prompts[1...]) + Array(prompts[1...]) + contexts
        let writes = run.engine.log.calls.compactMap { call in
            if case .write(let count, let position) = call { "\(count)@\(position)" } else { String?.none }
        }
        #expect(writes == expected)
        #expect(run.engine.log.calls.prefix(2) == [.prepare, .load(.default)])
        #expect(run.engine.log.calls.filter { $0 == .forward }.count == writes.count)
    }

    @Test func engineIsToldWhatWillCome() throws {
        let run = try ScriptedRun()
        _ = try run.run()
        let options = try #require(run.engine.options)
        #expect(options.callSizes == [1, 3, 5, 16, 44, 128])
        #expect(options.positions == 300)
        #expect(options.numThreads == 1)
    }

    @Test func samplesAreKept() throws {
        let record = try ScriptedRun().run()
        #expect(record.prefill.map(\.promptLength) == [3, 300])
        #expect(record.prefill.allSatisfy { $0.prefillNs.count == 2 })
        #expect(record.decode.map(\.context) == [0, 5])
        // The clock moves by a microsecond for each reading: two readings around the call, four around the step.
        #expect(record.decode.allSatisfy { $0.forwardNs == [1000, 1000, 1000, 1000] && $0.stepNs == [3000, 3000, 3000, 3000] })
        #expect(record.load?.firstForwardNs == 1000)
        #expect(record.selfCheck?.decisiveSteps == record.selfCheck?.decisiveMatches)
        #expect(record.bandwidth?.passes.map(\.passNs.count) == [3])
        #expect(record.isValid)
    }

    @Test func sustainedStepsEndWithTheTime() throws {
        let run = try ScriptedRun()
        run.request.protocol.sustainedS = 25
        run.engine.onForward = { _ in run.clock.nowNs += 50_000_000 }
        let sustained = try #require(try run.run().sustained)
        #expect(sustained.context == 5)
        #expect(sustained.thermal.count == 3)
        #expect(sustained.startNs.count == sustained.forwardNs.count)
        #expect((495...500).contains(sustained.startNs.count))
        #expect(sustained.startNs.last! < 25_000_000_000)
    }

    @Test func aWrongTokenEndsTheRun() throws {
        let run = try ScriptedRun()
        // The scripted runtime answers by the reference, so that two texts that begin alike contradict each other.
        let texts = [
            GreedyText(prompt: [1], greedy: [2], margins: [1], decisive: [true]), GreedyText(prompt: [1], greedy: [3], margins: [1], decisive: [true]),
        ]
        try run.writeArtifact(reference: Wire.encode(Reference.text(TextReference(decisiveMargin: 0, texts: texts))))
        let record = try run.run()
        #expect(record.outcome == .failed(stage: .selfCheck, failure: .parity, message: "text 0, step 0: token 3 instead of 2"))
        #expect(record.selfCheck?.firstMismatch == Mismatch(text: 0, step: 0, expected: 2, actual: 3))
        #expect(record.prefill.isEmpty)
        #expect(run.isDone)
    }

    private static let noTexts = try! Wire.encode(Reference.text(TextReference(decisiveMargin: 0, texts: [])))
}
