import HarnessCore

/// Deep against wide: the ratio, its interval, what memory has to do with it, the latency curve, and the runs it all rests on. For one
/// artifact alone: its latency in place of the ratio.
public struct ResultPage: Sendable {
    public let group: RunGroup
    public let runs: [RunSummary]
    let comparison: PairComparison

    /// `runs`: one or more, of one group.
    public init(runs: [RunSummary]) {
        precondition(!runs.isEmpty, "a result needs a run")
        group = runs[0].group
        self.runs = runs.sorted { ($0.startedUtc, $0.runId) < ($1.startedUtc, $1.runId) }
        comparison = PairComparison(runs: self.runs)
    }

    public var page: Page {
        let devices = Set(runs.map(\.device)).sorted().joined(separator: ", ")
        return Page(
            title: comparison.isPair ? "Deep against wide" : "One artifact",
            subtitle: "\(group.title), \(runs[0].device)",
            alert: runs.allSatisfy(\.phone) ? nil : "Not a phone's numbers: \(devices).",
            cards: [verdict, bandwidth, curve, history])
    }

    private var verdict: Card {
        guard comparison.isPair else { return latency }
        guard let first = comparison.ratios.first else { return Card("Time per token, deep / wide", [.note(Sentences.oneSide)]) }
        var blocks: [Block] = [
            .figure(Sentences.ratioFigure(first), spoken: "deep takes \(Format.ratio(first.verdict.ratio)) times as long as wide"),
            .body(Sentences.interval(first), .plain), .note(Sentences.ratio(first)), .note(Sentences.verdict(first)),
        ]
        for other in comparison.ratios.dropFirst() {
            blocks.append(.body("At \(other.context): \(Sentences.ratioFigure(other)), \(Sentences.interval(other))", .plain))
            blocks.append(.note(Sentences.ratio(other)))
            blocks.append(.note(Sentences.verdict(other)))
        }
        return Card("Time per token, deep / wide", badge: Sentences.badge(first.verdict), blocks)
    }

    private var latency: Card {
        let arm = runs[0].arm
        guard let first = comparison.curve(arm).first else { return Card("Time per token", [.note("No usable run yet.")]) }
        let count = comparison.of(arm).count
        let spread = "\(Format.milliseconds(first.lowNs)) to \(Format.milliseconds(first.highNs)) between the fastest and the slowest of \(Sentences.runs(count))"
        let spoken = "\(Format.milliseconds(first.medianNs)) per token"
        return Card("Time per token", [.figure(Format.milliseconds(first.medianNs), spoken: spoken), .body(spread, .plain)])
    }

    private var bandwidth: Card {
        let bars = comparison.arms.compactMap { arm in
            comparison.bandwidth(arm).map {
                BandwidthBar(label: comparison.name(arm), arm: arm, achievedBytesPerS: $0.achieved, ceilingBytesPerS: $0.ceiling)
            }
        }
        let plot: [Block] = bars.isEmpty ? [] : [.plot(BandwidthBars(bars: bars))]
        return Card("Memory bandwidth while decoding", plot + [.note(Sentences.bandwidth(comparison))])
    }

    private var curve: Card {
        let curves = comparison.arms.map { Curve(label: comparison.name($0), arm: $0, points: comparison.curve($0)) }
        let plot: [Block] = curves.allSatisfy { $0.points.isEmpty } ? [] : [.plot(ContextCurve(curves: curves))]
        let tails = comparison.arms.compactMap { arm -> Block? in
            guard let context = comparison.of(arm).last?.contexts.first else { return nil }
            return .note("Last run, " + Sentences.tail(comparison.name(arm), context))
        }
        return Card("Latency against context", plot + [.note(Sentences.curve(comparison))] + tails)
    }

    private var history: Card {
        let note = "Each is a process of its own and one JSON file; sharing sends that very file."
        return Card("Runs", [.note(note)] + runs.map { .run(RunRow($0)) })
    }
}
