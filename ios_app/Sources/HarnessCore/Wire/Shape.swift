/// Whatever changes weights or graph of a network.
public enum Shape: Codable, Sendable, Hashable {
    case transformer(TransformerShape)
    case mlp(MlpShape)

    /// The name of a case on the wire.
    public enum Family: String, Word { case transformer, mlp }

    private enum CodingKeys: CodingKey { case family }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        switch try keys.decode(Family.self, forKey: .family) {
        case .transformer: self = .transformer(try TransformerShape(from: decoder))
        case .mlp: self = .mlp(try MlpShape(from: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var keys = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .transformer(let shape):
            try keys.encode(Family.transformer, forKey: .family)
            try shape.encode(to: encoder)
        case .mlp(let shape):
            try keys.encode(Family.mlp, forKey: .family)
            try shape.encode(to: encoder)
        }
    }
}

/// A Llama-family decoder; `models/shape.py` describes each field.
public struct TransformerShape: Codable, Sendable, Hashable {
    public var numLayers: Int
    public var hiddenSize: Int
    public var numHeads: Int
    public var numKvHeads: Int
    public var headDim: Int
    public var ffnSize: Int
    public var vocabSize: Int
    public var tieEmbeddings: Bool
    public var layerRepeats: Int
    public var qkvBias: Bool
    public var qkNorm: Bool
    public var ropeTheta: Double
    @Nullable public var ropeScaling: RopeScaling?
    public var normEps: Double

    /// Caches of the graph: one for each executed block.
    public var numPasses: Int { numLayers * layerRepeats }

    /// The first size below 1, in words; nil if there is none. Engines allocate by these numbers.
    var badSize: String? {
        let sizes = [
            ("num_layers", numLayers), ("hidden_size", hiddenSize), ("num_heads", numHeads), ("num_kv_heads", numKvHeads),
            ("head_dim", headDim), ("ffn_size", ffnSize), ("vocab_size", vocabSize), ("layer_repeats", layerRepeats),
        ]
        return sizes.first { $0.1 < 1 }.map { "shape: \($0.0) must be at least 1, got \($0.1)" }
    }
}

/// Frequency scaling of Llama 3.1 and 3.2.
public struct RopeScaling: Codable, Sendable, Hashable {
    public var factor: Double
    public var lowFreqFactor: Double
    public var highFreqFactor: Double
    public var originalMaxContext: Int
}

/// A plain ReLU network.
public struct MlpShape: Codable, Sendable, Hashable {
    public var numLayers: Int
    public var hiddenSize: Int
    public var inputSize: Int
    public var outputSize: Int
}

/// Stored bytes by what they are for.
public struct RoleBytes: Codable, Sendable, Hashable {
    public var embedding: Int
    public var head: Int
    public var layers: Int
    public var overhead: Int
}

/// What the manifest says of the artifact, so that a record can be understood without it.
public struct ArtifactFacts: Codable, Sendable, Hashable {
    /// What was asked of the exporter; tells nothing about what was measured.
    public var jobId: String
    /// The network that was measured, by the content of its model files.
    public var contentId: String
    public var manifestSha256: String
    public var pair: String
    @Nullable public var arm: Arm?
    public var shapeName: String
    public var shape: Shape
    public var target: TargetName
    public var scheme: Scheme
    public var maxContext: Int
    public var prefillChunk: Int
    public var modelBytes: Int
    public var bytesByRole: RoleBytes
    public var weightBytesRead: Int
    public var kvBytesPerPosition: Int

    public init(manifest: Manifest, manifestSha256: String) {
        jobId = manifest.jobId
        contentId = manifest.contentId
        self.manifestSha256 = manifestSha256
        pair = manifest.pair
        arm = manifest.arm
        shapeName = manifest.shapeName
        shape = manifest.shape
        target = manifest.target
        scheme = manifest.scheme
        maxContext = manifest.options.maxContext
        prefillChunk = manifest.options.prefillChunk
        modelBytes = manifest.modelBytes
        bytesByRole = manifest.bytesByRole
        weightBytesRead = manifest.costPerToken.weightBytesRead
        kvBytesPerPosition = manifest.costPerToken.kvBytesPerPosition
    }
}
