import Foundation

/// An exact rank test on logarithms, with the estimate and the interval that belong to the same test: docs/method.md, "The rule of a
/// verdict", step 4. `scripts/analysis/ranks.py` explains why.
struct RankTest: Sendable {
    /// Above this many runs on a side: the normal approximation with continuity correction.
    static let exactUpTo = 100
    /// Logarithms of equal ratios differ in the last digits; a difference this small is none.
    static let equal = 1e-12

    let paired: Bool
    /// Of logarithms, sorted: n_a * n_b of them, or n (n + 1) / 2 where paired.
    let differences: [Double]
    let countA: Int
    let countB: Int
    /// P(T <= k) for k from 0 to the number of differences, where the ratio 1 is true.
    private let cumulative: [Double]

    /// Of the ratio a / b; values above 0, at least one on each side. In pairs run i of `a` belongs to run i of `b`.
    init(_ a: [Double], _ b: [Double], paired: Bool) {
        self.paired = paired
        countA = a.count
        countB = b.count
        let x = a.map(log), y = b.map(log)
        let all = paired ? Self.walshAverages(zip(x, y).map { $0 - $1 }) : x.flatMap { each in y.map { each - $0 } }
        differences = all.map { abs($0) <= Self.equal ? 0 : $0 }.sorted()
        cumulative = Self.distribution(countA, countB, paired: paired)
    }

    /// The Hodges-Lehmann estimate of a / b.
    var ratio: Double {
        let middle = differences.count / 2
        return exp(differences.count % 2 == 1 ? differences[middle] : (differences[middle - 1] + differences[middle]) / 2)
    }

    /// Two-sided p of the ratio 1.
    var p: Double {
        let below = differences.count { $0 <= 0 }, above = differences.count { $0 >= 0 }
        return min(1, 2 * cumulative[min(below, above)])
    }

    var leastP: Double { Self.leastP(countA, countB, paired: paired) }

    /// Logarithms of the ratios that the test at `level` does not reject; nil where so few runs can reject nothing.
    func interval(_ level: Double) -> (low: Double, high: Double)? {
        guard let rejecting = cumulative.lastIndex(where: { 2 * $0 <= level + Self.equal }) else { return nil }
        return (differences[rejecting], differences[differences.count - 1 - rejecting])
    }

    /// The smallest p that this many runs can reach, all of one side below all of the other.
    static func leastP(_ countA: Int, _ countB: Int, paired: Bool) -> Double {
        paired ? pow(2, Double(1 - countA)) : 2 / binomial(countA + countB, countA)
    }

    /// Exact as long as it fits into 53 bits.
    static func binomial(_ n: Int, _ k: Int) -> Double {
        (0..<min(k, n - k)).reduce(1.0) { ($0 * Double(n - $1) / Double($1 + 1)).rounded() }
    }

    private static func walshAverages(_ shifts: [Double]) -> [Double] {
        shifts.indices.flatMap { i in shifts.indices[i...].map { (shifts[i] + shifts[$0]) / 2 } }
    }

    private static func distribution(_ countA: Int, _ countB: Int, paired: Bool) -> [Double] {
        let most = paired ? countA * (countA + 1) / 2 : countA * countB
        if max(countA, countB) > exactUpTo {
            let variance = Double(most) * Double(paired ? 2 * countA + 1 : countA + countB + 1) / 12
            return (0...most).map { 0.5 * erfc(-(Double($0) + 0.5 - Double(most) / 2) / variance.squareRoot() / 2.0.squareRoot()) }
        }
        var sum = 0.0
        return (paired ? signedRankMass(countA) : rankSumMass(countA, countB)).map { mass in
            sum += mass
            return sum
        }
    }

    /// P(W = k): every subset of the ranks 1 to n is as likely.
    private static func signedRankMass(_ n: Int) -> [Double] {
        var mass = [Double](repeating: 0, count: n * (n + 1) / 2 + 1)
        mass[0] = 1
        for rank in 1...n {
            let before = mass
            for k in mass.indices { mass[k] = (before[k] + (k >= rank ? before[k - rank] : 0)) / 2 }
        }
        return mass
    }

    /// P(U = k): the largest of i + j values belongs to the first side with probability i / (i + j), and then adds j (Mann and Whitney 1947).
    private static func rankSumMass(_ countA: Int, _ countB: Int) -> [Double] {
        var row = [[Double]](repeating: [1], count: countB + 1)
        for i in 1...countA {
            var new: [[Double]] = [[1]]
            for j in 1...countB {
                var mass = [Double](repeating: 0, count: i * j + 1)
                for (k, value) in row[j].enumerated() { mass[k + j] += value * (Double(i) / Double(i + j)) }
                for (k, value) in new[j - 1].enumerated() { mass[k] += value * (Double(j) / Double(i + j)) }
                new.append(mass)
            }
            row = new
        }
        return row[countB]
    }
}
