/// A loaded decoder. Nothing here allocates between one `write` and the next, apart from what the runtime itself does. Positions are
/// the caller's: writing at an earlier position overwrites the cache there, so position 0 begins a new text.
public protocol LlmRuntime: AnyObject {
    /// Facts, not wishes; what the runtime does not tell is nil.
    var observed: ObservedRuntime { get }

    /// Puts one token, standing at `position`, into the input buffers. Throws `RuntimeFailure`.
    func write(token: Int64, position: Int) throws

    /// Puts `count` tokens from `tokens[from]` on into the input buffers; the first one stands at `position`. `count` is one of
    /// `LoadOptions.callSizes`. Throws `RuntimeFailure`.
    func write(tokens: [Int64], from: Int, count: Int, position: Int) throws

    /// Runs what was written; the logits of the last token stand until the next call. Throws `RuntimeFailure`.
    func forward() throws

    /// Id of the largest logit, the lowest among equals.
    func argmax() -> Int

    /// The logits of these ids, all within the vocabulary.
    func logits(of ids: [Int]) -> [Double]
}

/// How to load.
public struct LoadOptions: Sendable {
    public let numThreads: Int
    public let backend: Backend
    public let loadMode: LoadMode
    /// Positions that the run will use, at most `max_context`.
    public let positions: Int
    /// Token counts of all calls that will be made, 1 among them.
    public let callSizes: Set<Int>

    public init(numThreads: Int, backend: Backend, loadMode: LoadMode, positions: Int, callSizes: Set<Int>) {
        self.numThreads = numThreads
        self.backend = backend
        self.loadMode = loadMode
        self.positions = positions
        self.callSizes = callSizes
    }
}

/// A runtime that runs artifacts of one target.
public protocol LlmEngine: AnyObject {
    var target: TargetName { get }

    /// What a request may ask for; anything else is refused before loading.
    var backends: [Backend] { get }
    var loadModes: [LoadMode] { get }

    /// Does what the clock of loading a model should not count: the runtime's own code, a compiled copy. Throws `RuntimeFailure`.
    func prepare(_ artifact: Artifact, options: LoadOptions) throws

    /// Loads the model. Throws `RuntimeFailure`.
    func load(_ artifact: Artifact, options: LoadOptions) throws -> any LlmRuntime
}

/// The runtime refused or failed.
public struct RuntimeFailure: Error, Sendable, CustomStringConvertible {
    /// One line.
    public let message: String
    public let outOfMemory: Bool

    public init(_ message: String, outOfMemory: Bool = false) {
        self.message = oneLine(message)
        self.outOfMemory = outOfMemory
    }

    public var description: String { message }
}
