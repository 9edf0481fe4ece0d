import Foundation
import HarnessCore
import Testing

@testable import HarnessScreens

@Suite struct WordsTests {
    @Test func numbersAreWrittenAlikeInEveryLocale() {
        #expect(Format.milliseconds(8_186_030) == "8.19 ms")
        #expect(Format.bandwidth(12.34e9) == "12.3 GB/s")
        #expect(Format.milliseconds(12_300) == "0.0123 ms")
        #expect(Format.megabytes(397_151) == "0.397 MB")
    }

    @Test func quantilesAreThoseOfNumpy() {
        #expect(Statistics.median([40, 10, 30, 20]) == 25)
        #expect(abs(Statistics.quantile([40, 10, 30, 20], 0.9) - 37) < 1e-9)
    }

    @Test func runsAreInterleavedAndTheFirstArmIsTheCallers() {
        let plan = RunPlan.pair(runsPerSide: 5, first: .wide)
        #expect(plan.map { $0.arm == .deep ? "D" : "W" }.joined() == "WDDWWDDWWD")
        #expect(plan.filter { $0.arm == .deep }.map(\.repetition) == [0, 1, 2, 3, 4])
        #expect(plan.map(\.block) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
        #expect(RunPlan.pair(runsPerSide: 1, first: .deep).map(\.arm) == [.deep, .wide])
        #expect(RunPlan.single(runs: 3).map(\.order) == [0, 1, 2])
    }

    @Test func theAppGivesFiveRunsASideInOnePress() {
        #expect(Choice().runsPerSide == Verdict.minRuns)
    }

    @Test func theSentenceOfARatioHasItsNumbersAndTheirOrigin() {
        let ratio = PairComparison(runs: [run(.deep, 6), run(.wide, 5), run(.wide, 5)]).ratios[0]
        #expect(
            Sentences.ratio(ratio)
                == "With 0 tokens in the context, a token of the deep model takes 20.0 % longer than one of the wide model: "
                + "6.00 ms against 5.00 ms, medians of 1 run and 2 runs.")
        #expect(Sentences.interval(ratio) == "no interval from so few runs")
    }

    @Test func theValidityOfARunNamesItsReason() {
        #expect(Sentences.validity(run(.deep, 5)) == "valid")
        #expect(Sentences.validity(run(.deep, 5, invalid: ["background: left"])) == "not usable: background: left")
        #expect(Sentences.validity(run(.deep, 5, warnings: ["charging: plugged in"])) == "with warnings: charging: plugged in")
        #expect(Sentences.validity(run(.deep, 5, ending: .skipped)) == "skipped: thermal status 3, above max_thermal_status 0")
    }

    @Test func everyStageIsExplained() {
        for stage in Stage.allCases { #expect(RunningPage.explanation(stage).hasSuffix(".")) }
    }

    @Test func conditionsSayWhatWouldSpoilARun() {
        let harness = HarnessInfo(name: "deepnarrow-ios", version: "0.1.0", build: nil, debug: false)
        var now = DeviceEnvironment(timeUtc: "", monotonicNs: 0, bootNs: nil)
        #expect(Conditions(now, harness: harness, kind: .phone).line == "this phone tells neither temperature nor battery")
        (now.thermalStatus, now.batteryPercent, now.plugged, now.powerSave) = (2, 20, true, true)
        let bad = Conditions(now, harness: HarnessInfo(name: "x", version: "1", build: nil, debug: true), kind: .emulator)
        #expect(bad.line == "thermal state fair, battery 20 %, plugged in")
        #expect(bad.concerns.count == 6)
        #expect(bad.badge == Badge("with concerns", .warning))
    }
}

@Suite struct ComparisonTests {
    @Test func aWinnerIsNamedByTheRuleOfTheVerdict() {
        #expect(pair(deep: 6, wide: 5).ratios.map(\.verdict.word) == [.slower, .slower])
        #expect(pair(deep: 5, wide: 6).ratios.map(\.verdict.word) == [.faster, .faster])
        #expect(pair(deep: 5, wide: 5.001).ratios.map(\.verdict.word) == [.noDifference, .noDifference])
        #expect(Sentences.badge(pair(deep: 6, wide: 5).ratios[0].verdict) == Badge("wide is faster", .good))
    }

    @Test func belowFiveRunsASideNobodyIsCalledFaster() {
        let ratio = pair(deep: 20, wide: 5, count: 4).ratios[0]
        #expect(ratio.verdict.word == .notEnough)
        let said = Sentences.verdict(ratio) + Sentences.badge(ratio.verdict).text
        #expect(said.hasPrefix("Not enough runs to name a winner: 4 and 4 usable runs"))
        #expect(!said.contains("faster"))
    }

    @Test func invalidFailedAndDeadRunsAreCountedAndNeverUsed() {
        let runs = [
            run(.deep, 5), run(.wide, 5), run(.wide, 1, invalid: ["background"]), run(.wide, 1, ending: .failed), run(.wide, 1, ending: .died),
        ]
        let comparison = PairComparison(runs: runs)
        #expect(comparison.unusable == 3)
        #expect(abs(comparison.ratios[0].verdict.ratio - 1) < 0.01)
    }

    @Test func onlyContextsThatBothArmsHaveAreCompared() {
        let comparison = PairComparison(runs: [run(.deep, 5), run(.wide, 5, contexts: [0])])
        #expect(comparison.ratios.map(\.context) == [0])
        #expect(comparison.curve(.deep).map(\.context) == [0, 512])
    }

    @Test func oneArmAloneIsAnArtifactAlone() {
        let page = ResultPage(runs: [run(.deep, 5), run(.deep, 5.2)]).page
        #expect(page.title == "One artifact")
        #expect(page.cards[0].heading == "Time per token")
        #expect(page.alert == "Not a phone's numbers: EXAMPLE, not measured.")
    }

    @Test func bandwidthNeedsAProbe() {
        let without = PairComparison(runs: [run(.deep, 5, ceilingBytesPerS: nil), run(.wide, 5, ceilingBytesPerS: nil)])
        #expect(without.bandwidth(.deep) == nil)
        #expect(Sentences.bandwidth(without) == "The runs have no bandwidth probe.")
        let found = pair(deep: 5, wide: 5, count: 1).bandwidth(.deep)!
        #expect(abs(found.achieved - 16e9) < 0.1e9 && found.ceiling == 20e9)
    }

    @Test func summariesComeFromRecords() throws {
        let record = try Wire.readRecord(golden("record_completed.json"))
        let summary = Summaries.of(record, finished: true)
        #expect(summary.usable && summary.contexts.map(\.context) == [0, 32])
        // The weights and two positions of the cache, in 86 us.
        let artifact = try #require(record.artifact)
        let bytes = Double(artifact.weightBytesRead + 2 * artifact.kvBytesPerPosition)
        #expect(abs(summary.contexts[0].achievedBytesPerS - bytes / 86e-6) < 1)
        #expect(summary.warnings == ["low-battery: battery at 20 %"])
        #expect(Summaries.of(record, finished: false).ending == .died)
        let skipped = Summaries.of(try Wire.readRecord(golden("record_skipped.json")), finished: true)
        #expect(skipped.ending == .skipped && !skipped.usable && skipped.message != nil)
        #expect(Summaries.of(try Wire.readRecord(golden("record_running.json")), finished: false).message?.hasPrefix("the process ended in stage") == true)
    }

    @Test func runsOfOtherConditionsAreAnotherGroup() throws {
        let record = try Wire.readRecord(golden("record_completed.json"))
        var updated = record
        updated.device.osBuild = "another build"
        var wide = record
        wide.artifact?.arm = .wide
        wide.artifact?.contentId = "ffffffffffffffffffffffffffffffff"
        #expect(Summaries.of(record, finished: true).group != Summaries.of(updated, finished: true).group)
        #expect(Summaries.of(record, finished: true).group == Summaries.of(wide, finished: true).group)
    }
}
