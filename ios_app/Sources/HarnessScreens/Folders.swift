import Foundation
import HarnessCore

/// The app's folders. Everything that comes in or goes out is in `Documents`, where Files, Finder and the farm reach it.
public struct Folders: Sendable {
    public let documents: URL
    /// Where the app keeps what is of no interest outside.
    public let support: URL

    public init(documents: URL, support: URL) {
        self.documents = documents
        self.support = support
    }

    public var artifacts: URL { documents.appending(path: "artifacts") }
    public var runs: URL { documents.appending(path: "runs") }
    public var requests: URL { documents.appending(path: "requests") }
    var series: URL { support.appending(path: "series.json") }

    /// Throws `UserError`.
    public func prepare() throws {
        for folder in [artifacts, runs, requests, support] {
            do {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            } catch {
                throw UserError("\(folder.path): cannot be made: \(error.localizedDescription)")
            }
        }
    }

    /// A path given from outside, relative to `Documents`; links are followed first, so that nothing leads out. Throws `UserError`.
    public func given(_ path: String, variable: String) throws -> URL {
        let root = documents.resolvingSymlinksInPath().standardizedFileURL.path
        let found = documents.appending(path: path).resolvingSymlinksInPath().standardizedFileURL
        guard !path.isEmpty, !path.hasPrefix("/"), found.path.hasPrefix(root + "/") else {
            throw UserError("\(variable): '\(path.prefix(200))' must be a path inside Documents, relative to it")
        }
        return found
    }
}
