import Foundation

/// Files of the repository that the tests read.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func golden(_ name: String) -> URL { root.appendingPathComponent("tests/golden/\(name)") }

    static func json(_ data: Data) throws -> NSObject {
        try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed) as! NSObject
    }

    /// A folder of its own for a test; the system clears the temporary directory.
    static func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("deepnarrow-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }
}
