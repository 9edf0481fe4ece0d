/// A number of a run, as far as a verdict needs to know it. `scripts/analysis/metrics.py` defines all of them.
public struct Metric: Codable, Sendable, Hashable {
    public var name: String
    public var unit: Unit
    public var better: Better
    /// A difference of the ratio from 1 below this is of no use to anybody.
    public var floor: Double

    public enum Unit: String, Word {
        case ms
        case tokensPerS = "tokens/s"
        case bytes
        case gbPerS = "GB/s"
        case ratio
    }

    /// Which direction a user wants.
    public enum Better: String, Word { case lower, higher, neither }

    public init(name: String, unit: Unit, better: Better, floor: Double) {
        self.name = name
        self.unit = unit
        self.better = better
        self.floor = floor
    }

    /// Median latency of a decoded token.
    public static let decodeP50 = Metric(name: "decode_p50_ms", unit: .ms, better: .lower, floor: 0.02)
}
