import Foundation
import Testing

@testable import HarnessCore

/// Sampled logits of `reference.json`: how they are read, and how a runtime is held against them.
@Suite struct LogitSampleTests {
    /// Four steps, three ids, no decisive step. No row is like another one, so that a row taken at the wrong step is seen.
    private static let sample = LogitSample(
        tokenIds: [0, 7, 383], rows: (0..<4).map { step in (0..<3).map { Double(10 * step + $0) } }, tolerance: 0.5)
    private static let text = GreedyText(
        prompt: [1, 2, 3, 4, 5], greedy: [6, 7, 8, 9], margins: [0, 0, 0, 0], decisive: [false, false, false, false])

    @Test func aSampleStandsInForDecisiveSteps() throws {
        let run = try scripted()
        let record = try run.run()
        #expect(record.outcome == .completed)
        #expect(record.selfCheck?.decisiveSteps == 0)
        #expect(record.concerns.isEmpty)
    }

    @Test func withoutASampleItIsAConcern() throws {
        let record = try scripted(sample: nil).run()
        #expect(record.outcome == .completed)
        #expect(record.concerns.map(\.code) == [.notChecked])
        #expect(record.concerns.map(\.detail) == ["no step of reference.json is decisive, and it has no sample of logits"])
    }

    /// The text once more after the check of the tokens, up to the last row.
    @Test func callsComeInTheirOrder() throws {
        let run = try scripted()
        _ = try run.run()
        let writes = run.engine.log.calls.compactMap { call in
            if case .write(let count, let position) = call { "\(count)@\(position)" } else { String?.none }
        }
        let text = ["5@0", "1@5", "1@6", "1@7"]
        #expect(Array(writes.prefix(9)) == ["1@0"] + text + text)
    }

    /// Steps behind the last row are not looked at.
    @Test func fewerRowsThanSteps() throws {
        var sample = Self.sample
        sample.rows.removeLast(2)
        let run = try scripted(sample: sample)
        run.engine.logitError = { $0 < 2 ? 0 : 100 }
        #expect(try run.run().outcome == .completed)
    }

    struct Planted: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let errors: [Double]
        let times: String?
    }

    /// One root mean square over all steps: a single row may be off by twice the tolerance, and signs do not cancel.
    private static let planted = [
        Planted(testDescription: "at the tolerance", errors: [0.5, -0.5, 0.5, -0.5], times: nil),
        Planted(testDescription: "above it", errors: [0.51, -0.51, 0.51, -0.51], times: "1.02"),
        Planted(testDescription: "one row at the tolerance of all", errors: [0, 0, 1, 0], times: nil),
        Planted(testDescription: "one row above it", errors: [0, 0, 0, 1.25], times: "1.25"),
        Planted(testDescription: "only the prompt's last token", errors: [5, 0, 0, 0], times: "5.00"),
        Planted(testDescription: "not a number", errors: [0, .nan, 0, 0], times: "nan"),
        Planted(testDescription: "infinite", errors: [0, 0, .infinity, 0], times: "inf"),
    ]

    @Test(arguments: planted)
    func aPlantedDifference(planted: Planted) throws {
        let run = try scripted()
        run.engine.logitError = { planted.errors[$0] }
        let record = try run.run()
        guard let times = planted.times else {
            #expect(record.outcome == .completed)
            return
        }
        let message = "the sampled logits are \(times) times further off than a right model's"
        #expect(record.outcome == .failed(stage: .selfCheck, failure: .parity, message: message))
        #expect(record.selfCheck?.steps == 4)
        #expect(record.prefill.isEmpty && record.decode.isEmpty)
        #expect(run.isDone)
    }

    @Test func samplesThatDoNotFit() throws {
        var sample = Self.sample
        sample.tokenIds[2] = 384
        try expectRefused(sample, "reference.json: logit_sample has token 384; vocab_size is 384")
        sample.tokenIds[2] = -1
        try expectRefused(sample, "reference.json: logit_sample has token -1; vocab_size is 384")
        sample = Self.sample
        sample.rows.append(sample.rows[0])
        try expectRefused(sample, "reference.json: logit_sample has 5 rows; its text has 4 steps")
        try expectRefused(Self.sample, texts: [], "reference.json: logit_sample has 4 rows; its text has 0 steps")
    }

    /// Optional, and null is none; unknown keys are of a newer version.
    @Test func itIsReadLeniently() throws {
        let whole = try read { $0["of_tomorrow"] = 1 }
        #expect(whole.logitSample == Self.sample)
        let newer = try read { document in
            var sample = document["logit_sample"] as! [String: Any]
            sample["of_tomorrow"] = 1
            document["logit_sample"] = sample
        }
        #expect(newer.logitSample == Self.sample)
        #expect(try read { $0["logit_sample"] = nil }.logitSample == nil)
        #expect(try read { $0["logit_sample"] = NSNull() }.logitSample == nil)
        let without = try Wire.encode(Reference.text(TextReference(decisiveMargin: 0, texts: [])))
        #expect(!String(decoding: without, as: UTF8.self).contains("logit_sample"))
    }

    @Test func samplesThatAreNone() throws {
        try expectUnread(["token_ids": [0], "rows": [[1.0]]], "logit_sample.tolerance is missing")
        let rule = "logit_sample.rows: must have one logit for each id at each step"
        try expectUnread(["token_ids": [0, 1], "rows": [[1.0, 2.0], [3.0]], "tolerance": 1], rule)
        try expectUnread(["token_ids": [0, 1], "rows": [], "tolerance": 1], rule)
        try expectUnread(["token_ids": [], "rows": [[]], "tolerance": 1], rule)
    }

    private func scripted(sample: LogitSample? = Self.sample, texts: [GreedyText] = [Self.text]) throws -> ScriptedRun {
        let run = try ScriptedRun()
        let reference = TextReference(decisiveMargin: 0, texts: texts, logitSample: sample)
        try run.writeArtifact(reference: Wire.encode(Reference.text(reference)))
        return run
    }

    private func expectRefused(
        _ sample: LogitSample, texts: [GreedyText] = [Self.text], _ message: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let outcome = try scripted(sample: sample, texts: texts).run().outcome
        #expect(outcome == .failed(stage: .environment, failure: .artifact, message: message), sourceLocation: sourceLocation)
    }

    /// A reference with the sample, changed as JSON, as it is read.
    private func read(_ change: (inout [String: Any]) -> Void) throws -> TextReference {
        let file = try Repository.temporaryFolder().appendingPathComponent("reference.json")
        let reference = TextReference(decisiveMargin: 0, texts: [Self.text], logitSample: Self.sample)
        var document = try Repository.json(Wire.encode(Reference.text(reference))) as! [String: Any]
        change(&document)
        try JSONSerialization.data(withJSONObject: document).write(to: file)
        guard case .text(let found) = try Wire.readReference(file) else { throw UserError("not a text reference") }
        return found
    }

    private func expectUnread(_ sample: [String: Any], _ part: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        do {
            _ = try read { $0["logit_sample"] = sample }
            Issue.record("the sample was taken", sourceLocation: sourceLocation)
        } catch let error as UserError {
            #expect(error.message.hasSuffix(part), sourceLocation: sourceLocation)
        }
    }
}
