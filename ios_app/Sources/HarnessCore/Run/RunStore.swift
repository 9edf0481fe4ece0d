import Foundation

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// A record could not be written: no space, or the folder has gone.
public struct StorageFailure: Error, Sendable, CustomStringConvertible {
    public let message: String

    public var description: String { message }
}

/// A run's own folder `OUT/<run_id>`. Files appear whole or not at all: written beside, flushed to the disk, renamed.
public final class RunStore {
    public static let recordName = "record.json"
    public static let doneName = "done.json"

    public let folder: URL
    public var recordFile: URL { folder.appendingPathComponent(Self.recordName) }

    /// Makes the folder of a new run. Throws `UserError` if it exists or cannot be made. With `takingOver` a folder without
    /// `done.json`, as a run leaves that was killed, is emptied and taken.
    public init(out: URL, runId: String, takingOver: Bool = false) throws {
        if !RunId.isValid(runId) { throw UserError("run_id \(RunId.rule(runId))") }
        folder = out.appendingPathComponent(runId)
        let files = FileManager.default
        if files.fileExists(atPath: folder.path) {
            let isDone = files.fileExists(atPath: folder.appendingPathComponent(Self.doneName).path)
            guard takingOver, !isDone, (try? files.removeItem(at: folder)) != nil else {
                throw UserError("\(folder.path) exists; every run needs a run_id of its own")
            }
        }
        if (try? files.createDirectory(at: folder, withIntermediateDirectories: true)) == nil {
            throw UserError("\(folder.path): cannot be made")
        }
    }

    /// Throws `StorageFailure`, as when the disk is full; the record before stays.
    func write(_ record: RunRecord) throws { try replace(Self.recordName, Wire.encode(record)) }

    /// Declares the record complete. Throws `StorageFailure`.
    func writeDone(runId: String) throws {
        guard let digest = try? sha256(recordFile) else { throw StorageFailure(message: "\(recordFile.path): cannot be read again") }
        try replace(Self.doneName, Wire.encode(Done(runId: runId, recordSha256: digest)))
    }

    private func replace(_ name: String, _ data: Data) throws {
        let temporary = folder.appendingPathComponent(".\(name).tmp").path
        do {
            try writeFlushed(temporary, data)
            guard rename(temporary, folder.appendingPathComponent(name).path) == 0 else { throw Self.failure("\(name) cannot be renamed") }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private func writeFlushed(_ path: String, _ data: Data) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard file >= 0 else { throw Self.failure("\(path) cannot be opened") }
        defer { close(file) }
        try data.withUnsafeBytes { bytes in
            var start = 0
            while start < bytes.count {
                let written = Foundation.write(file, bytes.baseAddress! + start, bytes.count - start)
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else { throw Self.failure("\(path) cannot be written") }
                start += written
            }
        }
        guard Self.flush(file) else { throw Self.failure("\(path) cannot be flushed") }
    }

    /// On Apple only F_FULLFSYNC reaches the flash; file systems that do not know it get fsync.
    private static func flush(_ file: Int32) -> Bool {
        #if canImport(Darwin)
            if fcntl(file, F_FULLFSYNC) == 0 { return true }
        #endif
        return fsync(file) == 0
    }

    private static func failure(_ what: String) -> StorageFailure {
        StorageFailure(message: oneLine("\(what): \(String(cString: strerror(errno)))"))
    }
}
