import Foundation
import HarnessCore
import HotLoops
import Testing

@testable import HarnessScreens

@Suite struct LibraryTests {
    @Test func pairsAndSingleArtifactsAreFound() throws {
        let temporary = try TemporaryFolder()
        try makePair(temporary.url.appending(path: "a/b"))
        try makeArtifact(temporary.url, "alone") { ($0.arm, $0.shapeName) = (nil, "alone") }
        let library = Library(scanning: temporary.url)
        #expect(library.unusable.isEmpty)
        #expect(library.candidates.map(\.isPair) == [true, false, false, false])
        #expect(library.candidates[0].artifact(.wide)?.shapeName == "wide-2x128")
        #expect(library.candidates[0].detail == "onnx int4: deep-8x64 and wide-2x128")
    }

    @Test func aManifestThatCannotBeUsedIsNamedWithItsReason() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.url.appending(path: "broken")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: folder.appending(path: "manifest.json"))
        let library = Library(scanning: temporary.url)
        #expect(library.candidates.isEmpty && library.unusable.count == 1)
        #expect(library.unusable[0].contains("broken/manifest.json") && !library.unusable[0].contains("\n"))
    }

    @Test func linksAreNotFollowed() throws {
        let temporary = try TemporaryFolder()
        try makePair(temporary.url.appending(path: "outside"))
        let inside = temporary.url.appending(path: "inside")
        try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(at: inside.appending(path: "link"), withDestinationURL: temporary.url.appending(path: "outside"))
        #expect(Library(scanning: inside).candidates.isEmpty)
    }

    @Test func anImportIsACopyAndComesInOnce() throws {
        let temporary = try TemporaryFolder()
        let folders = temporary.folders
        try folders.prepare()
        try makePair(temporary.url.appending(path: "picked"))
        #expect(try Importer.copy(temporary.url.appending(path: "picked"), into: folders).count == 2)
        #expect(try Importer.copy(temporary.url.appending(path: "picked"), into: folders).count == 2)
        try FileManager.default.removeItem(at: temporary.url.appending(path: "picked"))
        #expect(Library(scanning: folders.artifacts).candidates.count == 3)
        #expect(throws: UserError.self) { try Importer.copy(temporary.url.appending(path: "Support"), into: folders) }
    }
}

@Suite struct PickTests {
    private func model(_ target: TargetName = .onnx, maxContext: Int = 1024) throws -> PickModel {
        let temporary = try TemporaryFolder()
        try makePair(temporary.url, target: target, maxContext: maxContext)
        return PickModel(library: Library(scanning: temporary.url), numCores: 6, choice: Choice())
    }

    @Test func whatTheArtifactsCannotHoldIsOff() throws {
        let pick = try model(maxContext: 600)
        #expect(pick.contextOptions.map(\.fits) == [true, true, false, false, false])
        #expect(pick.contextOptions[2].label == "512 (the artifact holds 600)")
        #expect(pick.measuredContexts == [0])
        #expect(try !model(maxContext: 100).canRun)
    }

    @Test func oneContextAlwaysStaysOn() throws {
        var pick = try model()
        pick[isOn: 512] = false
        pick[isOn: 0] = false
        #expect(pick.measuredContexts == [0])
        pick[isOn: 256] = true
        #expect(pick.measuredContexts == [0, 256])
    }

    @Test func numbersStayInTheirRange() throws {
        var pick = try model()
        pick.numThreads = 99
        pick.runsPerSide = 0
        #expect(pick.numThreads == 6 && pick.runsPerSide == 1)
    }

    @Test func computeUnitsAreAnAxisOfCoreMLAlone() throws {
        var pick = try model(.coreml)
        #expect(pick.candidate?.backends == [.all, .cpu, .cpuAndGpu, .cpuAndNeuralEngine])
        #expect(pick.backend == .all)
        pick.backend = .cpuAndGpu
        #expect(pick.backend == .cpuAndGpu)
        var onnx = try model()
        onnx.backend = .cpuAndGpu
        #expect(onnx.backend == .default)
    }

    @Test func nothingIsChosenWhereThereIsNothing() {
        let pick = PickModel(library: .empty, numCores: 2, choice: Choice(candidateId: "gone"))
        #expect(pick.candidate == nil && !pick.canRun)
        #expect(throws: UserError.self) { try Requests.series(pick, session: "s", first: .deep) }
    }

    @Test func aRequestNamesSessionContentAndUnits() throws {
        let temporary = try TemporaryFolder()
        try makePair(temporary.url, target: .coreml)
        let library = Library(scanning: temporary.url)
        var pick = PickModel(library: library, numCores: 6, choice: Choice())
        pick.backend = .cpuAndNeuralEngine
        let series = try Requests.series(pick, session: "20261201T120000Z-00ff00", first: .wide)
        let (artifact, request) = try Requests.planned(series, series.plan[0], in: library)
        #expect(artifact.arm == .wide && request.contentId == artifact.contentId)
        #expect(request.runId == "20261201T120000Z-00ff00.00" && request.session == "20261201T120000Z-00ff00" && request.plan == nil)
        #expect(request.protocol.backend == .cpuAndNeuralEngine && request.protocol.decodeSteps == 128)
        #expect(try Wire.parseRequest(Wire.encode(request), name: "request") == request)
        #expect(throws: UserError.self) { try Requests.planned(series, series.plan[0], in: .empty) }
    }

    @Test func sessionsAreNamedInTheOrderOfTime() {
        let session = Requests.newSession(now: Date(timeIntervalSince1970: 1_764_590_400), random: 0x0a1b2c)
        #expect(session == "20251201T120000Z-0a1b2c" && RunId.isValid(session))
    }
}

@Suite struct HistoryTests {
    @Test func theFilterTakesWordsAndEndings() {
        let history = History(
            runs: [
                run(.deep, 5, id: "a", day: "2026-11-24"), run(.wide, 5, id: "b", invalid: ["background"]),
                run(.deep, 5, id: "c", ending: .failed, group: RunGroup(subject: "other", setup: nil, title: "other pair, onnx int4, 4 threads")),
            ], unreadable: [])
        func ids(_ filter: HistoryFilter) -> [String] { history.groups(filter).flatMap { $0.runs.map(\.runId) }.sorted() }
        #expect(ids(HistoryFilter()) == ["a", "b", "c"])
        #expect(ids(HistoryFilter(kind: .usable)) == ["a"])
        #expect(ids(HistoryFilter(kind: .notUsable)) == ["b", "c"])
        #expect(ids(HistoryFilter(text: "OTHER onnx")) == ["c"])
        #expect(ids(HistoryFilter(text: "2026-11-24")) == ["a"])
        #expect(ids(HistoryFilter(text: "background coreml")) == ["b"])
    }

    @Test func recordsAreReadAndThoseThatCannotBeAreNamed() throws {
        let temporary = try TemporaryFolder()
        for (name, file) in [("good", "record_completed.json"), ("dead", "record_running.json")] {
            let folder = temporary.url.appending(path: name)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try FileManager.default.copyItem(at: golden(file), to: folder.appending(path: "record.json"))
        }
        try FileManager.default.copyItem(at: golden("done.json"), to: temporary.url.appending(path: "good/done.json"))
        try FileManager.default.createDirectory(at: temporary.url.appending(path: "bad"), withIntermediateDirectories: true)
        try Data("[".utf8).write(to: temporary.url.appending(path: "bad/record.json"))
        let history = History(reading: temporary.url)
        #expect(Set(history.runs.map(\.ending)) == [.completed, .died])
        #expect(history.unreadable.count == 1 && history.unreadable[0].contains("bad/record.json"))
    }

    @Test func severalRunsLeaveAsOneFile() throws {
        let temporary = try TemporaryFolder()
        let folders = temporary.folders
        try folders.prepare()
        let folder = folders.runs.appending(path: "one")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: golden("record_completed.json"), to: folder.appending(path: "record.json"))
        let file = try Sharing.archive(["one"], named: "test-\(UUID().uuidString)", in: folders)
        let data = try Data(contentsOf: file)
        try FileManager.default.removeItem(at: file)
        #expect(data.prefix(4) == Data([0x50, 0x4b, 3, 4]))
        #expect(data.range(of: try Data(contentsOf: golden("record_completed.json"))) != nil)
        #expect(throws: UserError.self) { try Sharing.archive(["gone"], named: "x", in: folders) }
    }

    @Test func theChecksumIsThatOfZip() {
        #expect(ZipArchive.crc32(Data("123456789".utf8)) == 0xcbf4_3926)
    }
}

@Suite struct ArgmaxHalfTests {
    @Test(arguments: [1, 15, 16, 17, 100]) func theLowestOfEqualsIsTaken(count: Int) {
        var values = [Float16](repeating: -1, count: count)
        values[count - 1] = 2
        #expect(values.withUnsafeBufferPointer { argmax($0) } == count - 1)
        values[0] = 2
        #expect(values.withUnsafeBufferPointer { argmax($0) } == 0)
        values[0] = .nan
        #expect(values.withUnsafeBufferPointer { argmax($0) } == (count == 1 ? 0 : count - 1))
    }
}
