import Foundation
import HarnessCore

/// A run that the farm or a UI test asks for in the environment: docs/ios-contract.md.
public struct LaunchRequest: Sendable {
    public static let artifactVariable = "DEEPNARROW_ARTIFACT"
    public static let requestVariable = "DEEPNARROW_REQUEST"
    /// With any value the app stays open after the run and shows the record, for a UI test to read it.
    public static let stayVariable = "DEEPNARROW_STAY"

    public let artifact: URL
    public let request: RunRequest
    public let stays: Bool

    /// Nil where neither variable is set: then the app shows its screens. Throws `UserError`.
    public init?(environment: [String: String], folders: Folders) throws {
        let artifact = environment[Self.artifactVariable], request = environment[Self.requestVariable]
        if artifact == nil && request == nil { return nil }
        guard let artifact, let request else {
            throw UserError("\(artifact == nil ? Self.artifactVariable : Self.requestVariable) is missing; both variables belong to a run")
        }
        self.artifact = try folders.given(artifact, variable: Self.artifactVariable)
        self.request = try Wire.readRequest(folders.given(request, variable: Self.requestVariable))
        stays = environment[Self.stayVariable] != nil
    }
}

/// Exit codes of a launched run, as everywhere in the project.
public enum ExitCode: Int32, Sendable {
    case completed = 0
    case notCompleted = 1
    case badInput = 2

    public init(_ end: RunEnd) { self = end.completed ? .completed : .notCompleted }
}

/// Lines of a launched run on standard output, one JSON object each. Written with a system call: `print` keeps a buffer for pipes.
public enum OutputLines {
    private struct ProgressLine: Encodable {
        let stage: Stage
        let done: Int
        let total: Int
    }

    private struct EndLine: Encodable {
        let run_id: String
        let outcome: String
        let record: String
        let message: String?

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(run_id, forKey: .run_id)
            try container.encode(outcome, forKey: .outcome)
            try container.encode(record, forKey: .record)
            try container.encode(message, forKey: .message)
        }

        enum CodingKeys: CodingKey { case run_id, outcome, record, message }
    }

    public static func progress(stage: Stage, done: Int, total: Int) -> Data { line(ProgressLine(stage: stage, done: done, total: total)) }

    public static func end(_ end: RunEnd, record: URL) -> Data {
        line(EndLine(run_id: end.runId, outcome: end.outcome, record: record.path, message: end.message))
    }

    private static func line(_ value: some Encodable) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        // These types hold strings and whole numbers only, which JSON can always say.
        return try! encoder.encode(value) + Data("\n".utf8)
    }
}
