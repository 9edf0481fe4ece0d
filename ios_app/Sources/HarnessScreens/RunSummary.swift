import HarnessCore

/// Timed steps of one run that began at one context.
public struct ContextSummary: Sendable, Equatable {
    public let context: Int
    public let medianNs: Double
    public let p90Ns: Double
    public let p99Ns: Double
    public let achievedBytesPerS: Double

    /// `bytesPerToken`: weights and cache that the middle step reads.
    public init(context: Int, forwardNs: [Int], bytesPerToken: Double) {
        self.context = context
        medianNs = Statistics.median(forwardNs)
        p90Ns = Statistics.quantile(forwardNs, 0.9)
        p99Ns = Statistics.quantile(forwardNs, 0.99)
        achievedBytesPerS = bytesPerToken / (medianNs / 1e9)
    }
}

/// How a run ended, in the words of the record; `died` is a record without `done.json`.
public enum Ending: String, Sendable, CaseIterable { case completed, failed, skipped, died }

/// Runs that may be compared: equal setups by the comparison key, which holds the session too, and one pair (or one artifact alone).
public struct RunGroup: Sendable, Hashable, Identifiable {
    /// A pair's name, or the content of an artifact that belongs to none.
    let subject: String
    /// Nil where the run ended before it had an artifact.
    let setup: ComparisonKey?
    /// Pair, target, scheme, threads and compute units.
    public let title: String

    public init(subject: String, setup: ComparisonKey?, title: String) {
        self.subject = subject
        self.setup = setup
        self.title = title
    }

    public var id: Self { self }
}

/// What the screens show of a record.
public struct RunSummary: Sendable, Identifiable {
    public let runId: String
    public let startedUtc: String
    public let arm: Arm?
    public let shapeName: String
    public let group: RunGroup
    /// For people, such as `iPhone17,1, iOS 18.5`; `phone` tells whether it is a phone's number at all.
    public let device: String
    public let phone: Bool
    public let ending: Ending
    /// Why it failed, was skipped or died.
    public let message: String?
    /// Reasons that make the numbers unusable.
    public let invalid: [String]
    public let warnings: [String]
    public let contexts: [ContextSummary]
    public let ceilingBytesPerS: Double?

    public var id: String { runId }
    public var usable: Bool { ending == .completed && invalid.isEmpty }

    public init(
        runId: String, startedUtc: String, arm: Arm?, shapeName: String, group: RunGroup, device: String, phone: Bool, ending: Ending,
        message: String?, invalid: [String], warnings: [String], contexts: [ContextSummary], ceilingBytesPerS: Double?
    ) {
        self.runId = runId
        self.startedUtc = startedUtc
        self.arm = arm
        self.shapeName = shapeName
        self.group = group
        self.device = device
        self.phone = phone
        self.ending = ending
        self.message = message
        self.invalid = invalid
        self.warnings = warnings
        self.contexts = contexts
        self.ceilingBytesPerS = ceilingBytesPerS
    }
}
