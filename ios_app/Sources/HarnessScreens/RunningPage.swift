import HarnessCore

/// A run in progress, as its last event told it.
public struct RunningState: Sendable, Equatable {
    public var title: String
    public var arm: Arm?
    /// `done` of `total` parts of the stage are over.
    public var stage: Stage
    public var done: Int
    public var total: Int
    /// Thermal and battery line.
    public var conditions: String
    /// So far; they make the validity badge.
    public var concerns: [String]
    public var latencies: [StepLatencies]
    /// `run 3 of 10`; nil for a run that the farm asked for.
    public var place: String?

    public init(
        title: String, arm: Arm?, stage: Stage, done: Int, total: Int, conditions: String, concerns: [String], latencies: [StepLatencies],
        place: String? = nil
    ) {
        self.title = title
        self.arm = arm
        self.stage = stage
        self.done = done
        self.total = total
        self.conditions = conditions
        self.concerns = concerns
        self.latencies = latencies
        self.place = place
    }

    /// Before the first event.
    public static let preparing = RunningState(
        title: "Preparing", arm: nil, stage: .environment, done: 0, total: 1, conditions: "", concerns: [], latencies: [])
}

/// The screen of a run. It has no animation: whatever moves costs time that the run would be charged for.
public enum RunningPage {
    public static func page(_ state: RunningState) -> Page {
        let progress = Card("\(state.stage.rawValue): \(state.done) of \(state.total)", [
            .progress(done: state.done, total: state.total), .note(explanation(state.stage)),
        ])
        let latency = Card("Latency of each token", [.plot(LatencyStrip(parts: state.latencies, arm: state.arm)), .body(latest(state), .plain)])
        let concerns: [Block] = state.concerns.map { .note($0) }
        let phone = Card("Phone", [.body(state.conditions, .plain), .badge(badge(state.concerns.count))] + concerns)
        return Page(title: state.title, subtitle: state.place, cards: [progress, latency, phone])
    }

    private static func latest(_ state: RunningState) -> String {
        guard let last = state.latencies.last, !last.forwardNs.isEmpty else {
            return "Filled after each context; while tokens are timed nothing is drawn."
        }
        let median = Format.milliseconds(Statistics.median(last.forwardNs))
        return "From position \(last.context): half of the \(last.forwardNs.count) tokens took at most \(median)."
    }

    private static func badge(_ concerns: Int) -> Badge {
        switch concerns {
        case 0: Badge("no concerns so far", .good)
        case 1: Badge("1 concern", .warning)
        default: Badge("\(concerns) concerns", .warning)
        }
    }

    static func explanation(_ stage: Stage) -> String {
        switch stage {
        case .environment: "Waits until the phone is cool and calm enough, as the request demands."
        case .bandwidth: "Reads a large buffer in every thread: what this phone's memory can give right now."
        case .load: "Opens the model and calls it once."
        case .selfCheck: "Compares its tokens with the exporter's. A wrong model may not be fast."
        case .warmUp: "Untimed prompts, so that nothing is measured cold."
        case .prefill: "Times whole prompts."
        case .decode: "Times every single token at each context length."
        case .sustained: "Decodes on and on, to see what heat does."
        case .finish: "Looks at the phone once more and closes the record."
        }
    }
}
