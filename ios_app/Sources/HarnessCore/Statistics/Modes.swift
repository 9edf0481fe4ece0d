import Foundation

/// Runs that fall apart into a fast and a slow mode: docs/method.md, "The rule of a verdict", step 2.
public struct Modes: Sendable, Hashable {
    /// For each run whether it is slow.
    public let slowA: [Bool]
    public let slowB: [Bool]
    /// How many times slower the slow ones are, by medians.
    public let factor: Double
    /// Two-sided, Fisher's exact test of equal shares of slow runs on both sides.
    public let p: Double

    /// Nil where there is one mode, with fewer than 5 runs on a side, and for metrics of no time or speed. Values above 0.
    init?(_ a: [Double], _ b: [Double], metric: Metric) {
        guard min(a.count, b.count) >= Verdict.minRuns, [.ms, .tokensPerS, .gbPerS].contains(metric.unit) else { return nil }
        let linedA = Self.linedUp(a, metric), linedB = Self.linedUp(b, metric)
        let pooled = (linedA + linedB).sorted()
        let gaps = zip(pooled, pooled.dropFirst()).map { $0 < 0 ? 0 : $1 - $0 }
        let widest = gaps.max()!
        let cut = gaps.firstIndex { $0 > widest - RankTest.equal }!
        let below = Array(pooled[...cut])
        let middle = Self.median(below)
        let spread = 1.4826 * Self.median(below.map { abs($0 - middle) })
        guard widest > max(log(1.3), 5 * spread) else { return nil }
        slowA = linedA.map { $0 > pooled[cut] + widest / 2 }
        slowB = linedB.map { $0 > pooled[cut] + widest / 2 }
        factor = exp(Self.median(Array(pooled[(cut + 1)...])) - middle)
        p = Self.fisherP(slowA.count { $0 }, a.count, slowB.count { $0 }, b.count)
    }

    /// `4 of 20 runs (1 of 10 and 3 of 10) belong to a mode 2.1 times slower`.
    var sentence: String {
        let slow = [slowA, slowB].map { side in side.count { $0 } }
        return "\(slow[0] + slow[1]) of \(slowA.count + slowB.count) runs (\(slow[0]) of \(slowA.count) and \(slow[1]) of \(slowB.count)) "
            + "belong to a mode \(String(format: "%.2g", factor)) times slower"
    }

    /// The probability of all tables with these margins that are no likelier than this one (Fisher 1935). Unequal numbers of ways
    /// differ by far more than the rounding of large ones.
    static func fisherP(_ slowA: Int, _ countA: Int, _ slowB: Int, _ countB: Int) -> Double {
        let slow = slowA + slowB
        let ways = (max(0, slow - countB)...min(slow, countA)).map { RankTest.binomial(countA, $0) * RankTest.binomial(countB, slow - $0) }
        let mine = RankTest.binomial(countA, slowA) * RankTest.binomial(countB, slowB)
        return ways.filter { $0 <= mine * (1 + 1e-9) }.reduce(0, +) / RankTest.binomial(countA + countB, slow)
    }

    /// Logarithms, slower upwards, 0 at the lower quartile: the order statistic (n - 1) / 4, rounded down, from 0.
    private static func linedUp(_ side: [Double], _ metric: Metric) -> [Double] {
        let logs = side.map { log($0) * (metric.better == .higher ? -1 : 1) }
        let quartile = logs.sorted()[(logs.count - 1) / 4]
        return logs.map { $0 - quartile }
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted(), middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
