import Foundation
import HarnessCore

/// Which runs of the history are shown.
public struct HistoryFilter: Sendable, Equatable {
    /// Which endings; `usable` runs completed and nothing makes their numbers unusable.
    public enum Kind: String, Sendable, CaseIterable, Identifiable {
        case all, usable
        case notUsable = "not usable"

        public var id: String { rawValue }
    }

    public var kind: Kind
    /// Words that all must occur in the title, the shape, the device, the day or the reason; upper and lower case are alike.
    public var text: String

    public init(kind: Kind = .all, text: String = "") {
        self.kind = kind
        self.text = text
    }

    func takes(_ run: RunSummary) -> Bool {
        switch kind {
        case .all: break
        case .usable: if !run.usable { return false }
        case .notUsable: if run.usable { return false }
        }
        let said = [run.group.title, run.shapeName, run.device, run.startedUtc, Sentences.validity(run)].joined(separator: " ").lowercased()
        return text.lowercased().split(separator: " ").allSatisfy { said.contains($0) }
    }
}

/// One group in the history, newest run first.
public struct HistoryGroup: Sendable, Identifiable {
    public let group: RunGroup
    public let runs: [RunSummary]

    public var id: RunGroup { group }

    /// The group in a few words: `2026-11-25, iPhone17,1, 10 runs, 9 usable`.
    public var line: String {
        "\(runs[0].startedUtc.prefix(10)), \(runs[0].device), \(Sentences.runs(runs.count)), \(runs.count { $0.usable }) usable"
    }
}

/// The runs on this phone. `unreadable` names records that cannot be read, with the reason.
public struct History: Sendable {
    static let maxRuns = 500

    public let runs: [RunSummary]
    public let unreadable: [String]

    public static let empty = History(runs: [], unreadable: [])

    init(runs: [RunSummary], unreadable: [String]) {
        self.runs = runs
        self.unreadable = unreadable
    }

    /// Reads the newest records below `folder`.
    public init(reading folder: URL) {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter(RunId.isValid)
        let present = names.filter { FileManager.default.fileExists(atPath: folder.appending(path: "\($0)/\(RunStore.recordName)").path) }
        var runs = [RunSummary]()
        var unreadable = [String]()
        for name in present.sorted(by: >).prefix(Self.maxRuns) {
            let run = folder.appending(path: name)
            do {
                let record = try Wire.readRecord(run.appending(path: RunStore.recordName))
                let finished = FileManager.default.fileExists(atPath: run.appending(path: RunStore.doneName).path)
                runs.append(Summaries.of(record, finished: finished))
            } catch let error as UserError {
                unreadable.append(error.message)
            } catch {
                unreadable.append("\(run.path): \(error.localizedDescription)")
            }
        }
        self.runs = runs
        self.unreadable = unreadable
    }

    /// The newest group first.
    public func groups(_ filter: HistoryFilter) -> [HistoryGroup] {
        Dictionary(grouping: runs.filter(filter.takes), by: \.group)
            .map { HistoryGroup(group: $0, runs: $1.sorted { ($0.startedUtc, $0.runId) > ($1.startedUtc, $1.runId) }) }
            .sorted { ($0.runs[0].startedUtc, $0.runs[0].runId) > ($1.runs[0].startedUtc, $1.runs[0].runId) }
    }

    /// All runs of a group, whatever the filter.
    public func runs(of group: RunGroup) -> [RunSummary] { runs.filter { $0.group == group } }
}

/// What leaves the phone by the Share button.
public enum Sharing {
    /// One run: the very file that was recorded.
    public static func record(_ runId: String, in folders: Folders) -> URL { folders.runs.appending(path: "\(runId)/\(RunStore.recordName)") }

    /// Without the ending `.zip`: the session of the runs, where they are all of one.
    public static func archiveName(_ runs: [RunSummary]) -> String {
        let sessions = Set(runs.map { $0.group.setup?.session ?? "" })
        let session = sessions.count == 1 ? sessions.first! : ""
        return session.isEmpty ? "deepnarrow-runs" : "deepnarrow-\(session)"
    }

    /// Several runs as one ZIP file of their folders, as `scripts.analysis` reads them once it is unpacked. Throws `UserError`.
    public static func archive(_ runIds: [String], named name: String, in folders: Folders) throws -> URL {
        let entries = runIds.sorted().flatMap { runId in
            [RunStore.recordName, RunStore.doneName, "compute_plan.json"].compactMap { file -> ZipArchive.Entry? in
                FileManager.default.contents(atPath: folders.runs.appending(path: "\(runId)/\(file)").path)
                    .map { ZipArchive.Entry(name: "\(runId)/\(file)", data: $0) }
            }
        }
        if entries.isEmpty { throw UserError("there is no record to share") }
        let file = FileManager.default.temporaryDirectory.appending(path: "\(name).zip")
        do {
            try ZipArchive.data(of: entries).write(to: file, options: .atomic)
        } catch {
            throw UserError("\(file.path): cannot be written: \(error.localizedDescription)")
        }
        return file
    }
}
