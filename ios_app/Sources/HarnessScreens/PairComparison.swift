import HarnessCore

/// The usable runs of one arm at one context: the median of the runs' medians, and the fastest and slowest run.
public struct ArmAtContext: Sendable, Equatable {
    public let medians: [Double]
    public var runs: Int { medians.count }
    public var medianNs: Double { Statistics.median(medians) }
    public var lowNs: Double { medians.min()! }
    public var highNs: Double { medians.max()! }
}

/// Deep against wide at one context, by the one rule of a verdict; above 1 the deep model is slower.
public struct ContextRatio: Sendable {
    public let context: Int
    public let deep: ArmAtContext
    public let wide: ArmAtContext
    public let verdict: Verdict
}

/// All runs of one group: a pair's, or those of one artifact alone. A run counts once, however many tokens it timed.
public struct PairComparison: Sendable {
    public let runs: [RunSummary]
    private let usable: [RunSummary]
    /// The family of the verdicts: all contexts that both arms have.
    public let ratios: [ContextRatio]

    /// `runs` of one group.
    public init(runs: [RunSummary]) {
        precondition(Set(runs.map(\.group)).count <= 1, "runs of different groups")
        let usable = runs.filter(\.usable)
        self.runs = runs
        self.usable = usable
        ratios = Self.ratios(usable)
    }

    public var unusable: Int { runs.count - usable.count }

    /// Whether both arms were run; otherwise it is one artifact alone, which may be an arm of some pair.
    public var isPair: Bool { Set(runs.map(\.arm)).isSuperset(of: [.deep, .wide]) }

    /// Deep and wide, or that of the artifact alone.
    public var arms: [Arm?] { isPair ? [.deep, .wide] : runs.prefix(1).map(\.arm) }

    /// `deep`, `wide`, or the shape's name for an artifact alone.
    public func name(_ arm: Arm?) -> String { isPair ? arm?.rawValue ?? "" : runs.first?.shapeName ?? "" }

    public func of(_ arm: Arm?) -> [RunSummary] { usable.filter { $0.arm == arm } }

    /// Points of the latency curve of one arm, also at contexts that the other arm has not been measured at.
    public func curve(_ arm: Arm?) -> [CurvePoint] {
        Self.contexts(usable, arm).sorted().map { context in
            let runs = Self.at(usable, arm, context)
            return CurvePoint(context: context, medianNs: runs.medianNs, lowNs: runs.lowNs, highNs: runs.highNs)
        }
    }

    /// Achieved bandwidth at the first context and the probe's ceiling, medians over the runs. Nil without a probe.
    public func bandwidth(_ arm: Arm?) -> (achieved: Double, ceiling: Double)? {
        let ceilings = of(arm).compactMap(\.ceilingBytesPerS)
        let achieved = of(arm).compactMap { $0.contexts.first?.achievedBytesPerS }
        return ceilings.isEmpty || achieved.isEmpty ? nil : (Statistics.median(achieved), Statistics.median(ceilings))
    }

    private static func ratios(_ usable: [RunSummary]) -> [ContextRatio] {
        let common = contexts(usable, .deep).intersection(contexts(usable, .wide)).sorted()
        let sides = common.map { (deep: at(usable, .deep, $0), wide: at(usable, .wide, $0)) }
        // Runs that the app starts have no place in a plan, and so are never paired.
        let verdicts = Verdict.judge(family: sides.map { Comparison(a: $0.deep.medians, b: $0.wide.medians, mayBePaired: false) }, metric: .decodeP50)
        return zip(common, zip(sides, verdicts)).map { context, judged in
            ContextRatio(context: context, deep: judged.0.deep, wide: judged.0.wide, verdict: judged.1)
        }
    }

    private static func contexts(_ usable: [RunSummary], _ arm: Arm?) -> Set<Int> {
        Set(usable.filter { $0.arm == arm }.flatMap { $0.contexts.map(\.context) })
    }

    private static func at(_ usable: [RunSummary], _ arm: Arm?, _ context: Int) -> ArmAtContext {
        ArmAtContext(medians: usable.filter { $0.arm == arm }.compactMap { run in run.contexts.first { $0.context == context }?.medianNs })
    }
}
