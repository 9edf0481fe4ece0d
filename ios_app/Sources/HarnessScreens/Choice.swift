import HarnessCore

/// What is chosen on the pick screen.
public struct Choice: Sendable, Equatable {
    public var candidateId: String?
    public var numThreads: Int
    public var backend: Backend
    public var contexts: [Int]
    public var runsPerSide: Int

    /// Most iPhones have two fast cores; more threads pull in the slow ones.
    public static let defaultThreads = 2

    public init(
        candidateId: String? = nil, numThreads: Int = defaultThreads, backend: Backend = .default, contexts: [Int] = [0, 512],
        runsPerSide: Int = RunPlan.defaultRunsPerSide
    ) {
        self.candidateId = candidateId
        self.numThreads = numThreads
        self.backend = backend
        self.contexts = contexts
        self.runsPerSide = runsPerSide
    }
}

/// One context on the pick screen: whether the chosen artifacts hold it.
public struct ContextOption: Sendable, Identifiable, Equatable {
    public let id: Int
    public let fits: Bool
    public let label: String
    public let spoken: String
}

/// The pick screen: what can be chosen, what is, and what follows from it.
public struct PickModel: Sendable {
    public static let contexts = [0, 256, 512, 1024, 2048]

    public let candidates: [Candidate]
    /// Folders that look like artifacts and are not, with the reason.
    public let unusable: [String]
    public let numCores: Int
    public private(set) var choice: Choice

    /// A choice that is no longer there is replaced by the first candidate.
    public init(library: Library, numCores: Int, choice: Choice) {
        candidates = library.candidates
        unusable = library.unusable
        self.numCores = numCores
        self.choice = choice
        (numThreads, runsPerSide) = (choice.numThreads, choice.runsPerSide)
        choose(candidates.contains { $0.id == choice.candidateId } ? choice.candidateId : candidates.first?.id)
    }

    public var candidate: Candidate? { candidates.first { $0.id == choice.candidateId } }

    public mutating func choose(_ candidateId: String?) {
        choice.candidateId = candidateId
        guard let candidate, !candidate.backends.contains(choice.backend) else { return }
        choice.backend = candidate.backends[0]
    }

    public var numThreads: Int {
        get { choice.numThreads }
        set { choice.numThreads = min(max(newValue, 1), max(1, numCores)) }
    }

    /// One that the chosen artifacts cannot be asked for is not taken.
    public var backend: Backend {
        get { choice.backend }
        set { if candidate?.backends.contains(newValue) == true { choice.backend = newValue } }
    }

    public var runsPerSide: Int {
        get { choice.runsPerSide }
        set { choice.runsPerSide = min(max(newValue, 1), RunPlan.maxRunsPerSide) }
    }

    /// Whether a context is measured. The last one that is on stays on.
    public subscript(isOn context: Int) -> Bool {
        get { choice.contexts.contains(context) && fits(context) }
        set {
            let without = choice.contexts.filter { $0 != context }
            if newValue { choice.contexts = (without + [context]).sorted() } else if !without.isEmpty { choice.contexts = without }
        }
    }

    public var contextOptions: [ContextOption] {
        Self.contexts.map { context in
            let fits = fits(context)
            let limit = candidate?.maxContext ?? 0
            return ContextOption(
                id: context, fits: fits,
                label: fits ? "\(context)" : "\(context) (the artifact holds \(limit))",
                spoken: "\(context) tokens in the context" + (fits ? "" : ", more than the artifact holds"))
        }
    }

    /// Contexts that will be measured.
    public var measuredContexts: [Int] { choice.contexts.filter { Self.contexts.contains($0) && fits($0) } }

    public var canRun: Bool { candidate != nil && !measuredContexts.isEmpty }

    public var threadsNote: String {
        candidate?.target == .coreml
            ? "Of the bandwidth probe. Core ML chooses its own threads; this phone has \(numCores) cores."
            : "Of the runtime and of the bandwidth probe alike. This phone has \(numCores) cores; more threads than fast cores often cost time."
    }

    public var runsNote: String {
        guard candidate?.isPair == true else { return "Each in a process of its own." }
        return "Interleaved, each in a process of its own; which model goes first is drawn. "
            + "\(Verdict.minRuns) of each are needed to name a winner. The app closes after each run and goes on when it is opened again."
    }

    public var runsLabel: String { candidate?.isPair == true ? "Runs of each model" : "Runs" }

    public var contextsNote: String { "At each of them \(Requests.decodeSteps) tokens are timed one by one." }

    public static let nothingFound =
        "No artifact found. Import a folder of artifacts from Files, or copy both folders of a pair into this app's folder \"artifacts\" with Finder."

    private func fits(_ context: Int) -> Bool { candidate.map { context + Requests.decodeSteps <= $0.maxContext } ?? true }
}
