/// A value of a record that may be null but must be there: nil is written as `null`, and a missing key is refused.
@propertyWrapper
public struct Nullable<Value: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
    public var wrappedValue: Value?

    public init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}

extension KeyedDecodingContainer {
    /// A value that a request may leave out. Given as null it is only taken where the type is an optional.
    func value<T: Decodable>(_ key: Key, default value: T) throws -> T {
        contains(key) ? try decode(T.self, forKey: key) : value
    }

    /// Checks a rule of the contract on `key`.
    func require(_ holds: Bool, _ key: Key, _ rule: @autoclosure () -> String) throws {
        if !holds { throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: rule()) }
    }

    func requireAtLeast(_ least: Int, _ value: Int, _ key: Key) throws {
        try require(value >= least, key, "must be at least \(least), got \(value)")
    }

    func requireAscending(_ values: [Int], least: Int, _ key: Key) throws {
        let ascending = !values.isEmpty && zip(values, values.dropFirst()).allSatisfy { $0 < $1 }
        try require(ascending, key, "must be one or more numbers in ascending order, each once, got \(values)")
        try requireAtLeast(least, values[0], key)
    }

    func requireSchema(_ found: String, _ known: String, _ key: Key) throws {
        try require(found == known, key, "'\(found.prefix(60))' is not known here; this version reads '\(known)'")
    }

    func requireRunId(_ value: String, _ key: Key) throws {
        try require(RunId.isValid(value), key, RunId.rule(value))
    }
}

/// The rule for names that become folders.
public enum RunId {
    /// 1 to 120 ASCII letters, digits, '.', '_' or '-', the first a letter or digit.
    public static func isValid(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= 120, isAlphanumeric(first) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains($0) }
    }

    static func rule(_ text: String) -> String {
        "'\(text.prefix(130))' must be 1 to 120 letters, digits, '.', '_' or '-', the first a letter or digit"
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: false
        }
    }
}
