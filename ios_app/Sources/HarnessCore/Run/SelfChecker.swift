/// The artifact against its `reference.json`: every text, forced along its greedy ids, until the first decisive mismatch.
struct SelfChecker {
    let decoder: GreedyDecoder
    private var result = SelfCheck(
        steps: 0, decisiveSteps: 0, decisiveMatches: 0, ambiguousSteps: 0, ambiguousMatches: 0, firstMismatch: nil)

    init(decoder: GreedyDecoder) { self.decoder = decoder }

    /// Throws `RuntimeFailure`.
    static func check(_ decoder: GreedyDecoder, against reference: TextReference) throws -> SelfCheck {
        var checker = SelfChecker(decoder: decoder)
        for (number, text) in reference.texts.enumerated() where checker.result.firstMismatch == nil {
            try checker.check(number, text)
        }
        return checker.result
    }

    /// Root mean square difference of the sampled logits over their tolerance: a right artifact has at most 1. Nil without a sample.
    /// The sample must fit the texts and the vocabulary. Throws `RuntimeFailure`.
    static func sampleError(_ decoder: GreedyDecoder, against reference: TextReference) throws -> Double? {
        guard let sample = reference.logitSample else { return nil }
        let text = reference.texts[0], prompt = text.prompt.map(Int64.init)
        var squares = 0.0
        for (step, expected) in sample.rows.enumerated() {
            if step == 0 {
                _ = try decoder.prefill(prompt, length: prompt.count)
            } else {
                _ = try decoder.step(Int64(text.greedy[step - 1]), at: prompt.count + step - 1)
            }
            for (actual, wanted) in zip(decoder.logits(of: sample.tokenIds), expected) { squares += (actual - wanted) * (actual - wanted) }
        }
        return (squares / Double(sample.rows.count * sample.tokenIds.count)).squareRoot() / sample.tolerance
    }

    private mutating func check(_ number: Int, _ text: GreedyText) throws {
        let prompt = text.prompt.map(Int64.init)
        var chosen = try decoder.prefill(prompt, length: prompt.count)
        for (step, expected) in text.greedy.enumerated() {
            if step > 0 { chosen = try decoder.step(Int64(text.greedy[step - 1]), at: prompt.count + step - 1) }
            count(decisive: text.decisive[step], match: chosen == expected)
            if text.decisive[step] && chosen != expected {
                result.firstMismatch = Mismatch(text: number, step: step, expected: expected, actual: chosen)
                return
            }
        }
    }

    private mutating func count(decisive: Bool, match: Bool) {
        result.steps += 1
        if decisive {
            result.decisiveSteps += 1
            result.decisiveMatches += match ? 1 : 0
        } else {
            result.ambiguousSteps += 1
            result.ambiguousMatches += match ? 1 : 0
        }
    }
}
