import Foundation

/// Bad input; the message is one line for whoever gave it.
public struct UserError: Error, Sendable, Equatable, CustomStringConvertible {
    public let message: String

    public init(_ message: String) { self.message = oneLine(message) }

    public var description: String { message }
}

/// JSON of the contract. Requests, records and done files are read strictly: keys that are not known are refused. Manifests and
/// references may have keys of a newer version. All keys are written. Larger files are refused unread.
public enum Wire {
    public static let maxRequestBytes = 1 << 20
    public static let maxManifestBytes = 4 << 20
    public static let maxReferenceBytes = 64 << 20
    public static let maxRecordBytes = 64 << 20

    /// Throws `UserError`.
    public static func readRequest(_ file: URL) throws -> RunRequest {
        try parseRequest(contents(file, maxBytes: maxRequestBytes), name: file.path)
    }

    /// A request that did not come as a file; `name` says where it came from. Throws `UserError`.
    public static func parseRequest(_ data: Data, name: String) throws -> RunRequest {
        if data.count > maxRequestBytes { throw UserError("\(name): \(data.count) bytes; at most \(maxRequestBytes) are read") }
        return try strict(RunRequest.self, data, name: name)
    }

    /// Throws `UserError`.
    public static func readManifest(_ file: URL) throws -> Manifest {
        let manifest = try decode(Manifest.self, contents(file, maxBytes: maxManifestBytes), name: file.path)
        if let problem = manifest.problem { throw UserError("\(file.path): \(problem)") }
        return manifest
    }

    /// Throws `UserError`.
    public static func readReference(_ file: URL) throws -> Reference {
        try decode(Reference.self, contents(file, maxBytes: maxReferenceBytes), name: file.path)
    }

    /// Throws `UserError`.
    public static func readRecord(_ file: URL) throws -> RunRecord {
        try parseRecord(contents(file, maxBytes: maxRecordBytes), name: file.path)
    }

    /// Throws `UserError`.
    public static func parseRecord(_ data: Data, name: String) throws -> RunRecord {
        let record = try strict(RunRecord.self, data, name: name)
        if record.schema != RunRecord.schema {
            throw UserError("\(name): schema: '\(record.schema.prefix(60))' is not known here; this version reads '\(RunRecord.schema)'")
        }
        return record
    }

    /// Throws `UserError`.
    public static func readDone(_ file: URL) throws -> Done {
        let done = try strict(Done.self, contents(file, maxBytes: maxRequestBytes), name: file.path)
        if done.schema != Done.schema {
            throw UserError("\(file.path): schema: '\(done.schema.prefix(60))' is not known here; this version reads '\(Done.schema)'")
        }
        if !RunId.isValid(done.runId) { throw UserError("\(file.path): run_id: \(RunId.rule(done.runId))") }
        return done
    }

    /// The project's way to write JSON: UTF-8, indented, one trailing newline.
    public static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value) + Data([UInt8(ascii: "\n")])
    }

    /// Reads JSON and refuses keys that `T` would not write. Throws `UserError`.
    static func strict<T: Codable>(_ type: T.Type, _ data: Data, name: String) throws -> T {
        let value = try decode(type, data, name: name)
        if let problem = try UnknownKeys.first(in: data, notIn: encode(value)) { throw UserError("\(name): \(problem)") }
        return value
    }

    /// A small file of another kind, read as strictly as a request. Throws `UserError`.
    public static func readStrict<T: Codable>(_ type: T.Type, _ file: URL) throws -> T {
        try strict(type, contents(file, maxBytes: maxRequestBytes), name: file.path)
    }

    static func decode<T: Decodable>(_ type: T.Type, _ data: Data, name: String) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(type, from: data)
        } catch let error as DecodingError {
            throw UserError("\(name): \(describe(error))")
        }
    }

    static func contents(_ file: URL, maxBytes: Int) throws -> Data {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder), !isFolder.boolValue else {
            throw UserError("\(file.path): no such file")
        }
        guard let bytes = fileSize(file), let data = bytes > maxBytes ? Data() : FileManager.default.contents(atPath: file.path) else {
            throw UserError("\(file.path): cannot be read")
        }
        if bytes > maxBytes { throw UserError("\(file.path): \(bytes) bytes; at most \(maxBytes) are read") }
        return data
    }
}

/// Bytes of a file; nil if there is none.
func fileSize(_ file: URL) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: file.path))?[.size] as? Int
}

/// All white space, line breaks among it, as single spaces.
public func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
}

private func describe(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, let context): "\(place(context.codingPath + [key])) is missing"
    case .typeMismatch(let type, let context): "\(place(context.codingPath)): must be \(words(type))"
    case .valueNotFound(let type, let context): "\(place(context.codingPath)): must be \(words(type)), not null"
    case .dataCorrupted(let context):
        context.codingPath.isEmpty ? "not JSON that can be read: \(context.debugDescription)" : "\(place(context.codingPath)): \(context.debugDescription)"
    @unknown default: "\(error)"
    }
}

private func words(_ type: Any.Type) -> String {
    switch type {
    case is Int.Type: "a whole number"
    case is Double.Type: "a number"
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is any Collection.Type where !(type is any ExpressibleByDictionaryLiteral.Type): "a list"
    default: "an object"
    }
}

private func place(_ path: [any CodingKey]) -> String {
    let text = path.map { key in key.intValue.map(String.init) ?? snakeCase(key.stringValue) }.joined(separator: ".")
    return text.isEmpty ? "the document" : text
}

private func snakeCase(_ camel: String) -> String {
    camel.map { $0.isUppercase ? "_\($0.lowercased())" : String($0) }.joined()
}
