import HarnessCore

/// The plain sentence under every number.
public enum Sentences {
    public static func ratioFigure(_ ratio: ContextRatio) -> String { "\(Format.ratio(ratio.verdict.ratio))×" }

    /// `95 % interval 1.18 to 1.22`, or why there is none.
    public static func interval(_ ratio: ContextRatio) -> String {
        guard ratio.verdict.low.isFinite, ratio.verdict.high.isFinite else { return "no interval from so few runs" }
        return "95 % interval \(Format.ratio(ratio.verdict.low)) to \(Format.ratio(ratio.verdict.high))"
    }

    public static func ratio(_ ratio: ContextRatio) -> String {
        let word = ratio.verdict.ratio >= 1 ? "longer" : "less long"
        let share = Format.figures(100 * abs(ratio.verdict.ratio - 1))
        return "With \(ratio.context) tokens in the context, a token of the deep model takes \(share) % \(word) than one of the wide model: "
            + "\(Format.milliseconds(ratio.deep.medianNs)) against \(Format.milliseconds(ratio.wide.medianNs)), "
            + "medians of \(runs(ratio.deep.runs)) and \(runs(ratio.wide.runs))."
    }

    /// The verdict in a sentence, with its reason.
    public static func verdict(_ ratio: ContextRatio) -> String {
        switch ratio.verdict.word {
        case .faster, .smaller: "The deep model is faster here: \(ratio.verdict.reason)."
        case .slower, .larger: "The wide model is faster here: \(ratio.verdict.reason)."
        case .noDifference: "No difference shown, which does not mean equal: \(ratio.verdict.reason)."
        case .notEnough: "Not enough runs to name a winner: \(ratio.verdict.reason)."
        case .undecided: "Undecided: \(ratio.verdict.reason)."
        }
    }

    public static func badge(_ verdict: Verdict) -> Badge {
        switch verdict.word {
        case .faster, .smaller: Badge("deep is faster", .good)
        case .slower, .larger: Badge("wide is faster", .good)
        case .noDifference, .notEnough, .undecided: Badge(verdict.word.rawValue, .warning)
        }
    }

    public static let oneSide = "One side has no usable run yet."

    public static func bandwidth(_ comparison: PairComparison) -> String {
        let parts = comparison.arms.compactMap { arm in
            comparison.bandwidth(arm).map { "the \(comparison.name(arm)) model \(Format.percent($0.achieved / $0.ceiling))" }
        }
        if parts.isEmpty { return "The runs have no bandwidth probe." }
        return "Of the bandwidth that the probe found just before, decoding uses: \(parts.joined(separator: ", ")). "
            + "Near 100 % memory is the limit and only fewer bytes help; far below it, time goes into calls, layers and arithmetic."
    }

    public static func tail(_ name: String, _ context: ContextSummary) -> String {
        "\(name): half of the tokens take at most \(Format.milliseconds(context.medianNs)), nine of ten at most "
            + "\(Format.milliseconds(context.p90Ns)), 99 of 100 at most \(Format.milliseconds(context.p99Ns))."
    }

    public static func curve(_ comparison: PairComparison) -> String {
        let parts = comparison.arms.compactMap { arm -> String? in
            let points = comparison.curve(arm)
            guard let first = points.first, let last = points.last, last.context > first.context else { return nil }
            let per100 = (last.medianNs - first.medianNs) / Double(last.context - first.context) * 100
            return "\(Format.figures(per100 / 1e3)) µs for the \(comparison.name(arm)) model"
        }
        if parts.isEmpty { return "Measure a second context length to see how latency grows with the context." }
        return "Every further 100 tokens of context add \(parts.joined(separator: " and ")) to each token: that is the attention over the cache."
    }

    public static func validity(_ run: RunSummary) -> String {
        switch run.ending {
        case .died, .failed, .skipped: "\(run.ending.rawValue): \(run.message ?? "no reason was recorded")"
        case .completed where !run.invalid.isEmpty: "not usable: \(run.invalid.joined(separator: "; "))"
        case .completed where !run.warnings.isEmpty: "with warnings: \(run.warnings.joined(separator: "; "))"
        case .completed: "valid"
        }
    }

    public static func runs(_ count: Int) -> String { count == 1 ? "1 run" : "\(count) runs" }
}
