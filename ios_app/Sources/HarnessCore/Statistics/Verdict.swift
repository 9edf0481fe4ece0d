import Foundation

/// Two sets of runs to be compared: one positive number for each usable run.
public struct Comparison: Sendable, Hashable {
    public let a: [Double]
    public let b: [Double]
    /// Run i of `a` and run i of `b` are of one place in a plan.
    public let mayBePaired: Bool

    public init(a: [Double], b: [Double], mayBePaired: Bool) {
        self.a = a
        self.b = b
        self.mayBePaired = mayBePaired
    }
}

/// What may be said of side a (the deep arm) against side b (the wide arm).
public enum VerdictWord: String, Word {
    case faster, slower, smaller, larger
    case noDifference = "no difference shown"
    case notEnough = "not enough runs"
    case undecided
}

/// What one choice of runs says. `low` and `high` are NaN where so few runs have no interval, `ratio` without runs on both sides.
public struct Analysis: Sendable, Hashable {
    public let word: VerdictWord
    public let ratio: Double
    public let low: Double
    public let high: Double
    public let p: Double
    public let countA: Int
    public let countB: Int
}

/// Is one set of runs faster than another? The rule is docs/method.md, "The rule of a verdict"; `tests/golden/verdicts.json` holds
/// every language to it.
public struct Verdict: Sendable {
    public static let alpha = 0.05
    public static let minRuns = 5
    static let minPairs = 8
    static let power = 0.8

    public enum Judged: String, Word { case allRuns = "all runs", fastMode = "fast mode" }

    public let word: VerdictWord
    /// Hodges-Lehmann estimate of a / b with its 95 % interval, which inverts the test: with a winner it never holds 1.
    public let ratio: Double
    public let low: Double
    public let high: Double
    public let p: Double
    public let pAdjusted: Double
    /// Size of the family.
    public let tests: Int
    public let paired: Bool
    public let judged: Judged
    public let countA: Int
    public let countB: Int
    /// Smallest relative slowdown that such runs would show in 80 % of repetitions. NaN where there is no test.
    public let minimumEffect: Double
    public let modes: Modes?
    /// What the runs say that were not judged so: all runs beside the fast mode, or the fast mode beside all.
    public let other: Analysis?
    /// One sentence, without a full stop, that says why it is this word.
    public let reason: String

    /// Verdicts of a family: all pairs and contexts of one setup, in the order given. Values must be finite.
    public static func judge(family: [Comparison], metric: Metric) -> [Verdict] {
        let begun = family.map { Unworded($0, metric: metric) }
        let tested = begun.indices.filter { begun[$0].isTest }
        let corrected = Dictionary(uniqueKeysWithValues: zip(tested, holm(tested.map { begun[$0].p })))
        return begun.enumerated().map { Verdict($1, pAdjusted: corrected[$0] ?? 1, tests: max(1, tested.count), metric: metric) }
    }

    /// Step-down adjusted p values, in the order given (Holm 1979).
    static func holm(_ values: [Double]) -> [Double] {
        var adjusted = values
        var highest = 0.0
        for (rank, index) in values.indices.sorted(by: { (values[$0], $0) < (values[$1], $1) }).enumerated() {
            highest = max(highest, min(1, values[index] * Double(values.count - rank)))
            adjusted[index] = highest
        }
        return adjusted
    }

    private init(_ begun: Unworded, pAdjusted: Double, tests: Int, metric: Metric) {
        let worded = begun.test.map { Wording.word($0, pAdjusted: pAdjusted, tests: tests, metric: metric) }
        let analysis = begun.test.map { Wording.analysis($0, tests: tests, metric: metric) }
        other = begun.other.map { Wording.analysis($0, tests: tests, metric: metric) }
        var reason = worded?.reason ?? begun.reason
        if let modes = begun.modes, let other { reason += "; " + Wording.beside(modes, begun.judged, other) }
        self.reason = reason
        word = worded?.word ?? begun.word
        ratio = analysis?.ratio ?? .nan
        low = analysis?.low ?? .nan
        high = analysis?.high ?? .nan
        p = begun.p
        self.pAdjusted = begun.test == nil ? 1 : pAdjusted
        self.tests = tests
        paired = begun.test?.paired ?? false
        judged = begun.judged
        countA = begun.countA
        countB = begun.countB
        minimumEffect = begun.isTest ? Wording.minimumEffect(begun.test!, tests: tests, floor: metric.floor) : .nan
        modes = begun.modes
    }
}

/// Which runs are judged and by which test: steps 0 to 3 of the rule.
struct Unworded {
    /// Of a comparison without a test.
    private(set) var word = VerdictWord.notEnough
    private(set) var reason = ""
    private(set) var test: RankTest?
    private(set) var other: RankTest?
    private(set) var modes: Modes?
    private(set) var judged = Verdict.Judged.allRuns
    private(set) var countA: Int
    private(set) var countB: Int

    init(_ comparison: Comparison, metric: Metric) {
        let (a, b) = (comparison.a, comparison.b)
        precondition((a + b).allSatisfy(\.isFinite), "\(metric.name): every run's value must be a finite number")
        countA = a.count
        countB = b.count
        let zeros = (a + b).count { $0 <= 0 }
        if zeros > 0 {
            word = .undecided
            reason = "\(zeros) of \(a.count + b.count) runs have a value that is not above 0, and so no ratio"
        } else if a.isEmpty || b.isEmpty {
            reason = Wording.tooFew(a.count, b.count)
        } else {
            choose(a, b, mayBePaired: comparison.mayBePaired, metric: metric)
        }
    }

    var p: Double { test?.p ?? 1 }

    var isTest: Bool { test != nil && min(countA, countB) >= Verdict.minRuns }

    private mutating func choose(_ a: [Double], _ b: [Double], mayBePaired: Bool, metric: Metric) {
        modes = Modes(a, b, metric: metric)
        let every = RankTest(a, b, paired: mayBePaired && a.count >= Verdict.minPairs && modes == nil)
        test = every
        guard let modes else { return }
        let fastA = zip(a, modes.slowA).filter { !$1 }.map(\.0), fastB = zip(b, modes.slowB).filter { !$1 }.map(\.0)
        let fast = RankTest(fastA, fastB, paired: false)
        if min(fastA.count, fastB.count) < Verdict.minRuns || Wording.reaches(modes.p) {
            other = fast
        } else {
            (test, other, judged) = (fast, every, .fastMode)
            (countA, countB) = (fastA.count, fastB.count)
        }
    }
}

/// Words and numbers of a test in a family: steps 6 to 8 of the rule.
enum Wording {
    static func reaches(_ p: Double) -> Bool { p <= Verdict.alpha + RankTest.equal }

    static func tooFew(_ countA: Int, _ countB: Int) -> String {
        "\(countA) and \(countB) usable runs; a winner needs \(Verdict.minRuns) on each side"
    }

    static func word(_ test: RankTest, pAdjusted: Double, tests: Int, metric: Metric) -> (word: VerdictWord, reason: String) {
        if min(test.countA, test.countB) < Verdict.minRuns { return (.notEnough, tooFew(test.countA, test.countB)) }
        let after = "p \(String(format: "%.2g", pAdjusted)) after Holm over \(tests)"
        if reaches(pAdjusted) {
            if abs(test.ratio - 1) < metric.floor {
                return (.noDifference, "the difference is real, but below \(percent(metric.floor, 0)), the floor of \(metric.name)")
            }
            return (winner(test.ratio, metric), after)
        }
        // Holm's first step is the easiest to fail: if even that is out of reach, no data could have named a winner.
        if !reaches(test.leastP * Double(tests)) {
            let runs = min(test.countA, test.countB)
            return (.notEnough, "\(runs) runs a side cannot decide \(tests) comparisons; \(runsNeeded(tests, paired: test.paired)) can")
        }
        let effect = minimumEffect(test, tests: tests, floor: metric.floor)
        return (.noDifference, "\(after); such runs show a difference of \(percent(effect, 1)) in \(percent(Verdict.power, 0)) of repetitions")
    }

    /// By itself, with Bonferroni's correction.
    static func analysis(_ test: RankTest, tests: Int, metric: Metric) -> Analysis {
        let word = word(test, pAdjusted: min(1, test.p * Double(tests)), tests: tests, metric: metric).word
        let ends = test.interval(Verdict.alpha)
        return Analysis(
            word: word, ratio: test.ratio, low: ends.map { exp($0.low) } ?? .nan, high: ends.map { exp($0.high) } ?? .nan, p: test.p,
            countA: test.countA, countB: test.countB)
    }

    /// Runs a side with which the smallest p of a family of this size can fall below 5 %.
    static func runsNeeded(_ tests: Int, paired: Bool) -> Int {
        var runs = Verdict.minRuns
        while !reaches(RankTest.leastP(runs, runs, paired: paired) * Double(tests)) { runs += 1 }
        return runs
    }

    /// The interval at the level of Holm's first step is `half` wide to each side (in logs), `z` standard errors; an effect of
    /// half (1 + quantile(0.8) / z) is found in 80 % of repetitions. NaN where there is no such interval.
    static func minimumEffect(_ test: RankTest, tests: Int, floor: Double) -> Double {
        let level = Verdict.alpha / Double(tests)
        guard let ends = test.interval(level) else { return .nan }
        let half = (ends.high - ends.low) / 2
        return max(floor, expm1(half * (1 + normalQuantile(Verdict.power) / normalQuantile(1 - level / 2))))
    }

    static func beside(_ modes: Modes, _ judged: Verdict.Judged, _ other: Analysis) -> String {
        let (how, beside) =
            judged == .fastMode ? ("judged in the fast mode", "all runs")
            : min(other.countA, other.countB) < Verdict.minRuns ? ("too few are left in the fast mode, all runs are judged", "the fast mode")
            : ("one side is slow more often (p \(String(format: "%.2g", modes.p))), all runs are judged", "the fast mode")
        let interval = other.low.isNaN ? "" : " (\(String(format: "%.3g", other.low)) to \(String(format: "%.3g", other.high)))"
        return "\(modes.sentence); \(how); \(beside): \(other.word.rawValue), ratio \(String(format: "%.3g", other.ratio))\(interval)"
    }

    private static func winner(_ ratio: Double, _ metric: Metric) -> VerdictWord {
        if metric.unit == .bytes { return ratio < 1 ? .smaller : .larger }
        return (ratio < 1) == (metric.better != .higher) ? .faster : .slower
    }

    private static func percent(_ share: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f%%", 100 * share) }
}

/// The x with P(X <= x) = p of a standard normal, for 0 < p < 1: bisection on the complementary error function, to the last digits.
func normalQuantile(_ p: Double) -> Double {
    var low = -40.0, high = 40.0
    while true {
        let middle = (low + high) / 2
        if middle == low || middle == high { return middle }
        if 0.5 * erfc(-middle / 2.0.squareRoot()) < p { low = middle } else { high = middle }
    }
}
