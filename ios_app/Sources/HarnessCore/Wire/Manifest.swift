import HotLoops

/// `manifest.json`: the contract between exporters and apps. `export/manifest.py` is its truth and describes each field. Keys that
/// this version does not know are ignored, so that an older app runs newer artifacts.
public struct Manifest: Codable, Sendable, Hashable {
    public static let schema = "deepnarrow/manifest/1"

    public var schema: String
    public var jobId: String
    public var contentId: String
    public var exporter: String
    public var pair: String
    @Nullable public var arm: Arm?
    public var shapeName: String
    public var shape: Shape
    public var target: TargetName
    public var scheme: Scheme
    public var options: ExportOptions
    public var tokenIds: TokenIds
    public var observed: ObservedGraph
    public var files: [FileEntry]
    public var bytesByRole: RoleBytes
    public var bitsPerWeight: BitsPerWeight
    public var costPerToken: TokenCost
    public var weights: WeightSource
    public var toolchain: [String: String]
    public var verifiedBy: String
    public var thoroughness: String
    public var gates: [GateResult]
    public var export: ExportEffort

    /// Files of the model itself.
    public var modelFiles: [FileEntry] { files.filter { $0.kind == .model } }

    public var modelBytes: Int { modelFiles.reduce(0) { $0 + $1.bytes } }

    /// Identity of the network: the first 32 hex digits of the SHA-256 of the model files' lines `<sha256>  <path>`, in the order
    /// of paths, each with a newline.
    public var computedContentId: String {
        let lines = modelFiles.sorted { $0.path.unicodeScalars.lexicographicallyPrecedes($1.path.unicodeScalars) }
            .map { "\($0.sha256)  \($0.path)\n" }
        return String(sha256Hex(Array(lines.joined().utf8)).prefix(32))
    }

    /// What is wrong with a manifest whose types are right; nil if nothing is.
    var problem: String? {
        if schema != Self.schema { return "schema: '\(schema.prefix(60))' is not known here; this version reads '\(Self.schema)'" }
        if options.maxContext < 1 { return "options.max_context must be at least 1, got \(options.maxContext)" }
        if !(1...options.maxContext).contains(options.prefillChunk) {
            return "options.prefill_chunk must be 1 to max_context \(options.maxContext), got \(options.prefillChunk)"
        }
        if case .transformer(let shape) = shape, let bad = shape.badSize { return bad }
        if contentId != computedContentId { return "content_id \(contentId.prefix(40)) is not the one of the files that are listed" }
        return nil
    }
}

public struct ExportOptions: Codable, Sendable, Hashable {
    public var maxContext: Int
    public var prefillChunk: Int
    public var coremlAttention: String
}

public struct TokenIds: Codable, Sendable, Hashable {
    @Nullable public var bos: Int?
    public var eos: [Int]
}

/// Facts that the exporter read from the written files.
public struct ObservedGraph: Codable, Sendable, Hashable {
    public var operators: [String: Int]
    @Nullable public var delegatedShare: Double?
    @Nullable public var delegateCalls: Int?
    public var backends: [String]
    public var attentionOperator: String
    public var cacheOperator: String
    public var inputs: [TensorFacts]
    public var outputs: [TensorFacts]
    public var states: [TensorFacts]
}

public struct TensorFacts: Codable, Sendable, Hashable {
    public var name: String
    public var dtype: String
    public var shape: [Dimension]
}

/// A number, or the name of a range such as `sequence_length`.
public enum Dimension: Codable, Sendable, Hashable {
    case size(Int)
    case range(String)

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let size = try? container.decode(Int.self) { self = .size(size) } else { self = .range(try container.decode(String.self)) }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .size(let size): try container.encode(size)
        case .range(let name): try container.encode(name)
        }
    }
}

public enum FileKind: String, Word { case model, reference, tokenizer }

/// `path` is relative to the folder, with forward slashes.
public struct FileEntry: Codable, Sendable, Hashable {
    public var path: String
    public var kind: FileKind
    public var sha256: String
    public var bytes: Int
}

public struct BitsPerWeight: Codable, Sendable, Hashable {
    @Nullable public var embedding: Double?
    @Nullable public var head: Double?
    public var linear: Double
    public var average: Double
}

public struct TokenCost: Codable, Sendable, Hashable {
    public var context: Int
    public var weightBytesRead: Int
    public var kvBytesPerPosition: Int
    public var kvBytesRead: Int
    public var activationBytes: ActivationBytes
    public var decodeFlops: Int
    public var prefillFlopsPerToken: Double
}

public struct ActivationBytes: Codable, Sendable, Hashable {
    public var sum: Int
    public var peakLive: Int
}

/// Where the weights came from.
public enum WeightSource: Codable, Sendable, Hashable {
    case random(seed: Int)
    case checkpoint(name: String, sha256: String)

    /// The name of a case on the wire.
    public enum Kind: String, Word { case random, checkpoint }

    private enum CodingKeys: CodingKey { case kind, seed, name, sha256 }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        switch try keys.decode(Kind.self, forKey: .kind) {
        case .random: self = .random(seed: try keys.decode(Int.self, forKey: .seed))
        case .checkpoint:
            self = .checkpoint(name: try keys.decode(String.self, forKey: .name), sha256: try keys.decode(String.self, forKey: .sha256))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var keys = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .random(let seed):
            try keys.encode(Kind.random, forKey: .kind)
            try keys.encode(seed, forKey: .seed)
        case .checkpoint(let name, let sha256):
            try keys.encode(Kind.checkpoint, forKey: .kind)
            try keys.encode(name, forKey: .name)
            try keys.encode(sha256, forKey: .sha256)
        }
    }
}

/// A proof that the artifact passed when it was exported.
public struct GateResult: Codable, Sendable, Hashable {
    public var gate: String
    public var measured: [String: Double]
    public var thresholds: [String: Double]
    public var note: String
}

public struct ExportEffort: Codable, Sendable, Hashable {
    public var wallNs: Int
    public var peakMemoryBytes: Int
    @Nullable public var importMemoryBytes: Int?
}
