import Foundation
import HotLoops

/// A checked artifact folder: every file is the manifest's own, by size and hash.
public struct Artifact: Sendable {
    public static let manifestFile = "manifest.json"
    public static let referenceFile = "reference.json"

    public let folder: URL
    public let manifest: Manifest
    public let manifestSha256: String
    public let reference: Reference

    public var facts: ArtifactFacts { ArtifactFacts(manifest: manifest, manifestSha256: manifestSha256) }

    /// Reads and checks the folder. Throws `UserError` that names the first thing wrong.
    public init(folder: URL) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder), isFolder.boolValue else {
            throw UserError("\(folder.path): no such folder")
        }
        let file = folder.appendingPathComponent(Self.manifestFile)
        let manifest = try Wire.readManifest(file)
        if !manifest.files.contains(where: { $0.path == Self.referenceFile }) {
            throw UserError("\(file.path): lists no \(Self.referenceFile)")
        }
        try Self.checkFiles(folder, manifest)
        self.folder = folder
        self.manifest = manifest
        manifestSha256 = try sha256(file)
        reference = try Wire.readReference(folder.appendingPathComponent(Self.referenceFile))
    }

    private static func checkFiles(_ folder: URL, _ manifest: Manifest) throws {
        let root = folder.resolvingSymlinksInPath().path
        for entry in manifest.files {
            let file = try inside(root, entry.path)
            guard let bytes = fileSize(file), isFile(file) else {
                throw UserError("\(folder.path): \(entry.path) is in the manifest but not in the folder")
            }
            if bytes != entry.bytes {
                throw UserError("\(folder.path): \(entry.path) has \(bytes) bytes, the manifest says \(entry.bytes)")
            }
            if try sha256(file) != entry.sha256 {
                throw UserError("\(folder.path): \(entry.path) has changed: its hash is not the manifest's \(entry.sha256.prefix(12))...")
            }
        }
        let listed = Set(manifest.files.map(\.path) + [manifestFile])
        let present = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        let extra = present.sorted().first { !listed.contains($0) && isFile(URL(fileURLWithPath: root + "/" + $0)) }
        if let extra { throw UserError("\(folder.path): \(extra) is in the folder but not in the manifest") }
    }

    /// Links and `..` resolved, the file must lie in the folder.
    private static func inside(_ root: String, _ path: String) throws -> URL {
        let file = URL(fileURLWithPath: root + "/" + path).standardizedFileURL.resolvingSymlinksInPath()
        if path.hasPrefix("/") || path.isEmpty || !file.path.hasPrefix(root + "/") {
            throw UserError("manifest: file '\(path.prefix(120))' lies outside the artifact's folder")
        }
        return file
    }

    private static func isFile(_ file: URL) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder) && !isFolder.boolValue
    }
}

/// Hex digest of a file, which is mapped. Throws `UserError` if it cannot be read.
public func sha256(_ file: URL) throws -> String {
    guard let data = try? Data(contentsOf: file, options: .alwaysMapped) else { throw UserError("\(file.path): cannot be read") }
    var digest = Sha256()
    data.withUnsafeBytes { digest.update($0) }
    return digest.finalize()
}
