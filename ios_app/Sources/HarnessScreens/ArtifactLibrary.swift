import Foundation
import HarnessCore

/// A folder with a manifest that this version understands.
public struct FoundArtifact: Sendable {
    public let folder: URL
    public let pair: String
    public let arm: Arm?
    public let shapeName: String
    public let target: TargetName
    public let scheme: Scheme
    public let maxContext: Int
    public let contentId: String
    public let modelBytes: Int
    let modified: Date

    init(folder: URL, manifest: Manifest, modified: Date) {
        self.folder = folder
        pair = manifest.pair
        arm = manifest.arm
        shapeName = manifest.shapeName
        target = manifest.target
        scheme = manifest.scheme
        maxContext = manifest.options.maxContext
        contentId = manifest.contentId
        modelBytes = manifest.modelBytes
        self.modified = modified
    }
}

/// What can be chosen and run: both arms of a pair for one target and scheme, or one artifact alone.
public struct Candidate: Sendable, Identifiable {
    /// One artifact, or deep before wide.
    public let artifacts: [FoundArtifact]

    static func pair(deep: FoundArtifact, wide: FoundArtifact) -> Candidate { Candidate(artifacts: [deep, wide]) }

    static func single(_ artifact: FoundArtifact) -> Candidate { Candidate(artifacts: [artifact]) }

    public var isPair: Bool { artifacts.count == 2 }
    public var target: TargetName { artifacts[0].target }
    public var maxContext: Int { artifacts.map(\.maxContext).min()! }

    public var id: String {
        let first = artifacts[0]
        return isPair ? "pair \(first.pair) \(first.target.rawValue) \(first.scheme.rawValue)" : "single \(first.contentId)"
    }

    public var title: String { isPair ? artifacts[0].pair : artifacts[0].shapeName }

    public var detail: String {
        let first = artifacts[0]
        let names = isPair ? artifacts.map(\.shapeName).joined(separator: " and ") : Format.megabytes(first.modelBytes)
        return "\(first.target.rawValue) \(first.scheme.rawValue): \(names)"
    }

    /// Which compute units can be asked for. Only Core ML chooses them when it loads.
    public var backends: [Backend] { target == .coreml ? [.all, .cpu, .cpuAndGpu, .cpuAndNeuralEngine] : [.default] }

    public func artifact(_ arm: Arm?) -> FoundArtifact? { isPair ? artifacts.first { $0.arm == arm } : artifacts[0] }
}

/// What lies in a folder; `unusable` names folders whose manifest cannot be used, with the reason.
public struct Library: Sendable {
    static let manifestFile = "manifest.json"
    static let maxDepth = 5
    static let maxArtifacts = 200

    public let candidates: [Candidate]
    public let unusable: [String]

    public static let empty = Library(candidates: [], unusable: [])

    private init(candidates: [Candidate], unusable: [String]) {
        self.candidates = candidates
        self.unusable = unusable
    }

    /// Looks for artifact folders a few levels below `root`.
    public init(scanning root: URL) {
        var artifacts = [FoundArtifact]()
        var unusable = [String]()
        for folder in Self.candidates(root) {
            let file = folder.appending(path: Self.manifestFile)
            do {
                let manifest = try Wire.readManifest(file)
                artifacts.append(FoundArtifact(folder: folder, manifest: manifest, modified: Self.modified(file)))
            } catch let error as UserError {
                unusable.append(error.message)
            } catch {
                unusable.append("\(file.path): \(error.localizedDescription)")
            }
        }
        candidates = Self.pairs(artifacts) + Self.singles(artifacts)
        self.unusable = unusable.sorted()
    }

    /// Links are not followed.
    private static func candidates(_ root: URL) -> [URL] {
        var found = [URL]()
        var level = [root]
        for _ in 0...maxDepth {
            var next = [URL]()
            for folder in level where found.count < maxArtifacts {
                let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
                if names.contains(manifestFile) { found.append(folder) }
                next += names.map { folder.appending(path: $0) }.filter(isFolder)
            }
            level = next
        }
        return found
    }

    private static func isFolder(_ url: URL) -> Bool {
        (try? FileManager.default.attributesOfItem(atPath: url.path))?[.type] as? FileAttributeType == .typeDirectory
    }

    private static func modified(_ file: URL) -> Date {
        (try? FileManager.default.attributesOfItem(atPath: file.path))?[.modificationDate] as? Date ?? .distantPast
    }

    /// The newest folder of each arm wins where an artifact is on the phone twice.
    private static func pairs(_ artifacts: [FoundArtifact]) -> [Candidate] {
        let groups = Dictionary(grouping: artifacts.filter { $0.arm != nil }) { "\($0.pair) \($0.target) \($0.scheme)" }
        return groups.values.compactMap { group -> Candidate? in
            func newest(_ arm: Arm) -> FoundArtifact? { group.filter { $0.arm == arm }.max { $0.modified < $1.modified } }
            guard let deep = newest(.deep), let wide = newest(.wide) else { return nil }
            return .pair(deep: deep, wide: wide)
        }.sorted { $0.id < $1.id }
    }

    private static func singles(_ artifacts: [FoundArtifact]) -> [Candidate] {
        let newest = Dictionary(artifacts.map { ($0.contentId, $0) }) { $0.modified >= $1.modified ? $0 : $1 }
        return newest.values.map(Candidate.single).sorted { ($0.title, $0.detail, $0.id) < ($1.title, $1.detail, $1.id) }
    }
}

/// Artifact folders that the user picks in Files are copied into the app: a run must not depend on somebody else's folder.
public enum Importer {
    /// Copies every artifact folder at or below `source`, each complete or not at all. Returns what came in. Throws `UserError`.
    public static func copy(_ source: URL, into folders: Folders) throws -> [URL] {
        let found = Library(scanning: source).candidates.filter { !$0.isPair }.map { $0.artifacts[0] }
        if found.isEmpty {
            let reason = Library(scanning: source).unusable.first.map { ": \($0)" } ?? ""
            throw UserError("\(source.lastPathComponent): holds no artifact folder (one with a manifest.json that can be read)\(reason)")
        }
        return try found.map { try copy($0, into: folders) }
    }

    /// The same for a folder outside the app, which Apple's systems open for as long as it is asked for.
    static func copyPicked(_ source: URL, into folders: Folders) throws -> [URL] {
        #if canImport(Darwin)
            let isGuarded = source.startAccessingSecurityScopedResource()
            defer { if isGuarded { source.stopAccessingSecurityScopedResource() } }
        #endif
        return try copy(source, into: folders)
    }

    private static func copy(_ artifact: FoundArtifact, into folders: Folders) throws -> URL {
        let place = folders.artifacts.appending(path: "imported/\(artifact.contentId.prefix(32))")
        let partial = folders.support.appending(path: "importing")
        do {
            try? FileManager.default.removeItem(at: partial)
            try FileManager.default.copyItem(at: artifact.folder, to: partial)
            try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
            try? FileManager.default.removeItem(at: place)
            try FileManager.default.moveItem(at: partial, to: place)
        } catch {
            try? FileManager.default.removeItem(at: partial)
            throw UserError("\(artifact.folder.lastPathComponent): cannot be copied into the app: \(error.localizedDescription)")
        }
        return place
    }
}
