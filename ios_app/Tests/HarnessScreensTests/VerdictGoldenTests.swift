import Foundation
import Testing

@testable import HarnessCore

/// `tests/golden/verdicts.json`, made by `tests/golden/build_verdicts.py`: families of comparisons and the verdicts that every language must give.
private struct Family: Decodable {
    let name: String
    let metric: Metric
    let comparisons: [Row]
}

private struct Row: Decodable {
    let a: [Double]
    let b: [Double]
    let paired: Bool
    let expected: Expected
}

private struct Expected: Decodable {
    let word: VerdictWord
    let ratio: Double?
    let low: Double?
    let high: Double?
    let p: Double
    let p_adjusted: Double
    let tests: Int
    let paired: Bool
    let judged: Verdict.Judged
    let n_a: Int
    let n_b: Int
    let minimum_effect: Double?
    let modes: ExpectedModes?
    let other: ExpectedAnalysis?
}

private struct ExpectedModes: Decodable {
    let slow_a: [Bool]
    let slow_b: [Bool]
    let factor: Double
    let p: Double
}

private struct ExpectedAnalysis: Decodable {
    let word: VerdictWord
    let ratio: Double?
    let low: Double?
    let high: Double?
    let p: Double
    let n_a: Int
    let n_b: Int
}

/// Null stands for a number that there is none of, which is NaN here.
private func close(_ found: Double?, _ expected: Double?) -> Bool {
    guard let expected else { return found?.isNaN ?? true }
    guard let found, found.isFinite else { return false }
    return abs(found - expected) <= 1e-9 * max(1, abs(expected))
}

@Suite struct VerdictGoldenTests {
    private func families() throws -> [Family] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../tests/golden/verdicts.json")
        return try JSONDecoder().decode([Family].self, from: Data(contentsOf: file))
    }

    @Test func everyFamilyGivesTheSharedVerdicts() throws {
        let families = try families()
        #expect(families.count >= 40)
        for family in families {
            let rows = family.comparisons
            let found = Verdict.judge(family: rows.map { Comparison(a: $0.a, b: $0.b, mayBePaired: $0.paired) }, metric: family.metric)
            #expect(found.count == rows.count)
            for (verdict, row) in zip(found, rows) { check(verdict, row.expected, family.name) }
        }
    }

    private func check(_ found: Verdict, _ expected: Expected, _ name: String) {
        #expect(found.word == expected.word, "\(name)")
        #expect(found.judged == expected.judged, "\(name)")
        #expect(found.tests == expected.tests && found.countA == expected.n_a && found.countB == expected.n_b, "\(name)")
        #expect(found.paired == expected.paired, "\(name)")
        let pairs = [
            (found.ratio, expected.ratio), (found.low, expected.low), (found.high, expected.high), (found.p, expected.p),
            (found.pAdjusted, expected.p_adjusted), (found.minimumEffect, expected.minimum_effect),
        ]
        #expect(pairs.allSatisfy { close($0.0, $0.1) }, "\(name): \(pairs)")
        #expect(found.modes?.slowA == expected.modes?.slow_a, "\(name)")
        #expect(found.modes?.slowB == expected.modes?.slow_b, "\(name)")
        #expect(close(found.modes?.factor, expected.modes?.factor) && close(found.modes?.p, expected.modes?.p), "\(name)")
        #expect(found.other?.word == expected.other?.word, "\(name)")
        #expect(close(found.other?.ratio, expected.other?.ratio) && close(found.other?.p, expected.other?.p), "\(name)")
        #expect(close(found.other?.low, expected.other?.low) && close(found.other?.high, expected.other?.high), "\(name)")
    }

    @Test func aVerdictThatIsNotTheExpectedOneIsSeen() {
        #expect(!close(1.1, 1.2))
        #expect(!close(.nan, 1))
        #expect(!close(1, nil))
        #expect(close(.nan, nil))
    }

    @Test func theQuantileOfTheNormalIsThatOfTables() {
        #expect(abs(normalQuantile(0.975) - 1.959963984540054) < 1e-12)
        #expect(abs(normalQuantile(0.8) - 0.8416212335729143) < 1e-12)
    }
}
