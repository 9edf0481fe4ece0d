/// `reference.json`: what a right artifact answers.
public enum Reference: Codable, Sendable, Hashable {
    public static let schema = "deepnarrow/reference/1"

    case text(TextReference)
    case network(NetworkReference)

    private enum CodingKeys: CodingKey { case schema, family }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        try keys.requireSchema(try keys.decode(String.self, forKey: .schema), Self.schema, .schema)
        switch try keys.decode(Shape.Family.self, forKey: .family) {
        case .transformer: self = .text(try TextReference(from: decoder))
        case .mlp: self = .network(try NetworkReference(from: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var keys = encoder.container(keyedBy: CodingKeys.self)
        try keys.encode(Self.schema, forKey: .schema)
        switch self {
        case .text(let reference):
            try keys.encode(Shape.Family.transformer, forKey: .family)
            try reference.encode(to: encoder)
        case .network(let reference):
            try keys.encode(Shape.Family.mlp, forKey: .family)
            try reference.encode(to: encoder)
        }
    }
}

/// Of a decoder.
public struct TextReference: Codable, Sendable, Hashable {
    public var decisiveMargin: Double
    public var texts: [GreedyText]
    /// Left out where it is nil; null is read as nil.
    public var logitSample: LogitSample?

    public init(decisiveMargin: Double, texts: [GreedyText], logitSample: LogitSample? = nil) {
        self.decisiveMargin = decisiveMargin
        self.texts = texts
        self.logitSample = logitSample
    }
}

/// One prompt with its greedy continuation. `decisive` says whether any right artifact chooses the id in `greedy` at that step;
/// elsewhere the choice is ambiguous.
public struct GreedyText: Codable, Sendable, Hashable {
    public var prompt: [Int]
    public var greedy: [Int]
    public var margins: [Double]
    public var decisive: [Bool]

    public init(prompt: [Int], greedy: [Int], margins: [Double], decisive: [Bool]) {
        self.prompt = prompt
        self.greedy = greedy
        self.margins = margins
        self.decisive = decisive
    }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        prompt = try keys.decode([Int].self, forKey: .prompt)
        greedy = try keys.decode([Int].self, forKey: .greedy)
        margins = try keys.decode([Double].self, forKey: .margins)
        decisive = try keys.decode([Bool].self, forKey: .decisive)
        try keys.require(!prompt.isEmpty, .prompt, "must not be empty")
        let equal = greedy.count == margins.count && greedy.count == decisive.count
        try keys.require(equal, .greedy, "greedy, margins and decisive must have one entry per step")
    }
}

/// Some logits of the first text, which prove something where no margin is decisive: those of `tokenIds`, a row for each of the first
/// greedy steps. `tolerance` is the largest root mean square difference, over all of them, that a right artifact may show.
public struct LogitSample: Codable, Sendable, Hashable {
    public var tokenIds: [Int]
    public var rows: [[Double]]
    public var tolerance: Double

    public init(tokenIds: [Int], rows: [[Double]], tolerance: Double) {
        self.tokenIds = tokenIds
        self.rows = rows
        self.tolerance = tolerance
    }

    public init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        tokenIds = try keys.decode([Int].self, forKey: .tokenIds)
        rows = try keys.decode([[Double]].self, forKey: .rows)
        tolerance = try keys.decode(Double.self, forKey: .tolerance)
        let full = !tokenIds.isEmpty && !rows.isEmpty && rows.allSatisfy { $0.count == tokenIds.count }
        try keys.require(full, .rows, "must have one logit for each id at each step")
    }
}

/// Of an MLP.
public struct NetworkReference: Codable, Sendable, Hashable {
    public var tolerance: Double
    public var inputs: [[Double]]
    public var outputs: [[Double]]
}
