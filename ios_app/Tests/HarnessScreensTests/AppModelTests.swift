import Foundation
import HarnessCore
import Testing

@testable import HarnessScreens

/// Plays a run: writes the golden record under the request's own id, with the outcome that is asked for.
private final class ScriptedMeasurer: Measurer, @unchecked Sendable {
    enum Script { case completes, fails, dies, refuses }

    let script: Script
    private let lock = NSLock()
    private var asked = [RunRequest]()
    var requests: [RunRequest] { lock.withLock { asked } }

    init(_ script: Script = .completes) { self.script = script }

    var numCores: Int { 6 }

    func conditions() -> Conditions {
        Conditions(
            DeviceEnvironment(timeUtc: "", monotonicNs: 0, bootNs: nil),
            harness: HarnessInfo(name: "deepnarrow-ios", version: "0.1.0", build: nil, debug: false), kind: .fake)
    }

    func run(artifact: URL, request: RunRequest, runs: URL, listener: any RunListener) throws -> RunEnd {
        lock.withLock { asked.append(request) }
        if script == .refuses { throw UserError("this run is refused") }
        var record = try Wire.readRecord(golden("record_completed.json"))
        record.request = request
        record.artifact?.contentId = request.contentId ?? "none"
        record.artifact?.arm = artifact.lastPathComponent.hasPrefix("wide") ? .wide : .deep
        if script == .fails { record.outcome = .failed(stage: .load, failure: .load, message: "no such operator") }
        if script == .dies { record.outcome = .running(stage: .decode) }
        listener.onRecord(record)
        for done in 0...2 { listener.onProgress(stage: .decode, done: done, total: 2) }
        let folder = runs.appending(path: request.runId)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Wire.encode(record).write(to: folder.appending(path: "record.json"))
        if script != .dies { try Wire.encode(Done(runId: request.runId, recordSha256: "")).write(to: folder.appending(path: "done.json")) }
        return RunEnd(record)
    }
}

/// One process of the app.
@MainActor private final class AppProcess {
    let model: AppModel
    let measurer: ScriptedMeasurer
    private(set) var exits = [Int32]()

    init(_ temporary: TemporaryFolder, _ script: ScriptedMeasurer.Script = .completes) {
        measurer = ScriptedMeasurer(script)
        var record: (Int32) -> Void = { _ in }
        model = AppModel(folders: temporary.folders, measurer: measurer, drawDelayMs: 0) { record($0) }
        record = { [unowned self] in exits.append($0) }
    }

    /// Waits until the app shows what is asked for; the limit only catches a test that hangs.
    func until(_ holds: (AppProcess) -> Bool) async throws {
        for _ in 0..<12_000 where !holds(self) { try await Task.sleep(for: .milliseconds(5)) }
        try #require(holds(self), "the app still shows \(model.screen)")
    }

    var isBetween: Bool { if case .between = model.screen { true } else { false } }

    var results: RunGroup? { if case .results(let group) = model.screen { group } else { nil } }
}

@MainActor @Suite(.serialized) struct AppModelTests {
    private func temporaryWithPair() throws -> TemporaryFolder {
        let temporary = try TemporaryFolder()
        try temporary.folders.prepare()
        try makePair(temporary.folders.artifacts)
        return temporary
    }

    @Test func aSeriesGoesOnRunByRunInAProcessEach() async throws {
        let temporary = try temporaryWithPair()
        var process = AppProcess(temporary)
        process.model.open(environment: [:])
        process.model.pick.runsPerSide = 2
        process.model.run(first: .wide)
        var arms = [String]()
        for next in 1...3 {
            try await process.until { $0.isBetween }
            #expect(process.measurer.requests.count == 1, "a process makes one run")
            #expect(process.model.screen == .between("Run \(next + 1) of 4 is next."))
            arms += process.measurer.requests.compactMap(\.contentId)
            process.model.close()
            #expect(process.exits == [0])
            process = AppProcess(temporary)
            process.model.open(environment: [:])
        }
        try await process.until { $0.results != nil }
        arms += process.measurer.requests.compactMap(\.contentId)
        #expect(arms[0] == arms[3] && arms[1] == arms[2] && arms[0] != arms[1])
        let page = try #require(process.model.resultPage(process.results!)).page
        #expect(page.title == "Deep against wide")
        let opened = AppProcess(temporary)
        opened.model.open(environment: [:])
        #expect(opened.model.screen == .pick, "the series is over")
    }

    @Test func aRunThatFailsEndsTheSeriesAndIsShown() async throws {
        let temporary = try temporaryWithPair()
        let process = AppProcess(temporary, .fails)
        process.model.open(environment: [:])
        process.model.run(first: .deep)
        try await process.until { $0.results != nil }
        let runs = process.model.history.runs(of: process.results!)
        #expect(runs.map(\.ending) == [.failed])
    }

    @Test func anAppThatDiedInARunShowsSoWhenItIsOpenedAgain() async throws {
        let temporary = try temporaryWithPair()
        let process = AppProcess(temporary, .dies)
        process.model.open(environment: [:])
        process.model.run(first: .deep)
        try await process.until { $0.results != nil }
        let again = AppProcess(temporary)
        again.model.open(environment: [:])
        again.model.showHistory()
        #expect(again.measurer.requests.isEmpty, "the series is over")
        #expect(again.model.history.runs.map(\.message) == ["the process ended in stage decode"])
    }

    @Test func aRefusedRunIsSaidAndEndsTheSeries() async throws {
        let temporary = try temporaryWithPair()
        let process = AppProcess(temporary, .refuses)
        process.model.open(environment: [:])
        process.model.run(first: .deep)
        try await process.until { $0.model.screen == .message("this run is refused") }
        #expect(SeriesFile(temporary.folders).read() == nil)
    }

    @Test func stopEndsTheProcessAndTheSeries() async throws {
        let temporary = try temporaryWithPair()
        let process = AppProcess(temporary)
        process.model.open(environment: [:])
        process.model.run(first: .deep)
        process.model.stop()
        #expect(process.exits == [1])
        #expect(SeriesFile(temporary.folders).read() == nil)
        try await process.until { $0.model.screen != .running }
    }

    @Test func theFarmsRunEndsTheProcessWithItsCode() async throws {
        let temporary = try temporaryWithPair()
        try Wire.encode(RunRequest(runId: "farm-1")).write(to: temporary.folders.requests.appending(path: "farm-1.json"))
        let environment = ["DEEPNARROW_ARTIFACT": "artifacts/deep-8x64", "DEEPNARROW_REQUEST": "requests/farm-1.json"]
        for (script, code) in [(ScriptedMeasurer.Script.completes, Int32(0)), (.fails, 1), (.refuses, 2)] {
            let process = AppProcess(temporary, script)
            process.model.open(environment: environment)
            try await process.until { !$0.exits.isEmpty }
            #expect(process.exits == [code])
        }
        let staying = AppProcess(temporary)
        staying.model.open(environment: environment.merging(["DEEPNARROW_STAY": "1"]) { $1 })
        try await staying.until { if case .record(let json) = $0.model.screen { json.contains("\"farm-1\"") } else { false } }
        #expect(staying.exits.isEmpty)
    }

    @Test(arguments: [
        ["DEEPNARROW_ARTIFACT": "artifacts/deep-8x64"], ["DEEPNARROW_ARTIFACT": "../outside", "DEEPNARROW_REQUEST": "requests/a.json"],
        ["DEEPNARROW_ARTIFACT": "/etc", "DEEPNARROW_REQUEST": "requests/a.json"],
        ["DEEPNARROW_ARTIFACT": "artifacts/deep-8x64", "DEEPNARROW_REQUEST": "requests/gone.json"],
        ["DEEPNARROW_ARTIFACT": "", "DEEPNARROW_REQUEST": ""],
    ]) func badInputOfTheFarmEndsWithCode2(environment: [String: String]) throws {
        let process = AppProcess(try temporaryWithPair())
        process.model.open(environment: environment)
        #expect(process.exits == [2] && process.measurer.requests.isEmpty)
        guard case .message(let message) = process.model.screen else { return #expect(Bool(false), "no message") }
        #expect(!message.contains("\n"))
    }

    @Test func picturesComeBetweenContextsAndNotWithinOne() {
        final class Screen: RunScreen, @unchecked Sendable {
            var drawn = [RunningState]()
            var signs = 0
            func status(stage: Stage, done: Int, total: Int) { signs += 1 }
            func draw(_ state: RunningState) { drawn.append(state) }
        }
        let screen = Screen()
        let listener = ProgressListener(screen: screen, place: "run 1 of 2") { ScriptedMeasurer().conditions() }
        let calls: [(Stage, Int)] = [(.decode, 0), (.decode, 0), (.decode, 0), (.decode, 1), (.decode, 1), (.sustained, 0), (.sustained, 1)]
        for (stage, done) in calls { listener.onProgress(stage: stage, done: done, total: 9) }
        #expect(screen.signs == 7)
        #expect(screen.drawn.map { "\($0.stage) \($0.done)" } == ["decode 0", "decode 1", "sustained 0"])
    }

    @Test func linesOfALaunchedRunAreTheContracts() {
        let progress = String(decoding: OutputLines.progress(stage: .selfCheck, done: 3, total: 8), as: UTF8.self)
        #expect(progress == "{\"done\":3,\"stage\":\"self-check\",\"total\":8}\n")
        let end = RunEnd(runId: "a", outcome: .completed, message: nil)
        let line = String(decoding: OutputLines.end(end, record: URL(filePath: "/x/record.json")), as: UTF8.self)
        #expect(line == "{\"message\":null,\"outcome\":\"completed\",\"record\":\"/x/record.json\",\"run_id\":\"a\"}\n")
    }
}
