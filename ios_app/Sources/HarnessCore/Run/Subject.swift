/// Cores that this process may use, on what the record calls `device`.
struct Cores: CustomStringConvertible {
    let usable: Int
    let device: DeviceFacts

    /// A machine that plays a phone of eight cores still has only its own.
    var description: String { "\(usable) cores" + (device.kind == .fake ? "; it only plays \(device.model)" : "") }
}

/// A checked decoder artifact, what is asked of it, and the engine that runs it.
struct Subject {
    let artifact: Artifact
    let reference: TextReference
    let shape: TransformerShape
    let request: RunRequest
    let engine: any LlmEngine

    var chunk: Int { artifact.manifest.options.prefillChunk }

    var loadOptions: LoadOptions {
        let asked = request.protocol
        let checked = reference.texts.map { $0.prompt.count + $0.greedy.count }.max() ?? 0
        let prompts = asked.promptLengths + asked.contexts + reference.texts.map(\.prompt.count)
        return LoadOptions(
            numThreads: asked.numThreads, backend: asked.backend, loadMode: asked.loadMode, positions: max(asked.positions, checked),
            callSizes: GreedyDecoder.callSizes(prompts, chunk: chunk))
    }

    /// Holds the artifact against the engines, and what is asked against artifact and machine. Throws `Refusal`.
    init(_ artifact: Artifact, request: RunRequest, engines: [any LlmEngine], cores: Cores) throws {
        let manifest = artifact.manifest
        if let wanted = request.contentId, wanted != manifest.contentId {
            throw Self.wrongArtifact("\(artifact.folder.path): content \(manifest.contentId), but the request is for \(wanted)")
        }
        guard let engine = engines.first(where: { $0.target == manifest.target }) else {
            let known = engines.map(\.target.rawValue).joined(separator: " and ")
            throw Self.wrongArtifact("\(manifest.target.rawValue) artifacts do not run here; \(known) ones do")
        }
        guard case .transformer(let shape) = manifest.shape, case .text(let reference) = artifact.reference else {
            throw Self.wrongArtifact("\(manifest.shapeName) is an MLP; the run protocol is for decoders")
        }
        (self.artifact, self.reference, self.shape, self.request, self.engine) = (artifact, reference, shape, request, engine)
        try checkCaches()
        try checkReference()
        try checkRequest(cores)
        try Limits.check(request.protocol)
    }

    private func checkCaches() throws {
        let maxContext = artifact.manifest.options.maxContext
        let elements = Double(shape.numKvHeads) * Double(shape.headDim) * Double(maxContext)
        if elements > Double(Limits.maxElements) {
            throw Self.wrongArtifact("max_context \(maxContext): a cache of one layer would have \(Int(min(elements, 1e18))) elements; at most \(Limits.maxElements) here")
        }
        if shape.vocabSize > Limits.maxElements { throw Self.wrongArtifact("vocab_size \(shape.vocabSize): at most \(Limits.maxElements) here") }
        if shape.numLayers.multipliedReportingOverflow(by: shape.layerRepeats).overflow {
            throw Self.wrongArtifact("num_layers \(shape.numLayers) times layer_repeats \(shape.layerRepeats): too many")
        }
    }

    private func checkReference() throws {
        let maxContext = artifact.manifest.options.maxContext
        for text in reference.texts {
            if let wrong = (text.prompt + text.greedy).first(where: { !(0..<shape.vocabSize).contains($0) }) {
                throw Self.wrongArtifact("reference.json: token \(wrong); vocab_size is \(shape.vocabSize)")
            }
            let positions = text.prompt.count + text.greedy.count
            if positions > maxContext {
                throw Self.wrongArtifact("reference.json: a text of \(positions) positions; max_context is \(maxContext)")
            }
        }
        if let sample = reference.logitSample { try checkSample(sample) }
    }

    private func checkSample(_ sample: LogitSample) throws {
        if let wrong = sample.tokenIds.first(where: { !(0..<shape.vocabSize).contains($0) }) {
            throw Self.wrongArtifact("reference.json: logit_sample has token \(wrong); vocab_size is \(shape.vocabSize)")
        }
        let steps = reference.texts.first?.greedy.count ?? 0
        if sample.rows.count > steps {
            throw Self.wrongArtifact("reference.json: logit_sample has \(sample.rows.count) rows; its text has \(steps) steps")
        }
    }

    private func checkRequest(_ cores: Cores) throws {
        let asked = request.protocol, target = artifact.manifest.target.rawValue, maxContext = artifact.manifest.options.maxContext
        if asked.numThreads > cores.usable { throw Limits.refusal("num_threads \(asked.numThreads): this machine has \(cores)") }
        if asked.positions > maxContext {
            throw Limits.refusal("the protocol needs \(asked.positions) positions; max_context is \(maxContext)")
        }
        if !engine.backends.contains(asked.backend) {
            let known = engine.backends.map(\.rawValue).joined(separator: ", ")
            throw Limits.refusal("backend \(asked.backend.rawValue): \(target) artifacts run on \(known) here")
        }
        if !engine.loadModes.contains(asked.loadMode) {
            let known = engine.loadModes.map(\.rawValue).joined(separator: ", ")
            throw Limits.refusal("load_mode \(asked.loadMode.rawValue): \(target) artifacts load with \(known) here")
        }
    }

    private static func wrongArtifact(_ message: String) -> Refusal { Refusal(failure: .artifact, message: message) }
}

/// What is kept of a run must fit into memory and into a record that can be read again.
enum Limits {
    static let maxElements = Int(Int32.max)
    /// About 30 MiB of the record, of which at most 64 MiB are read.
    static let maxSteps = 1_000_000
    private static let maxPasses = 10_000
    private static let maxRepetitions = 10_000
    private static let maxPositions = 1_000_000
    private static let maxSustainedS = 3600

    /// Throws `Refusal`.
    static func check(_ asked: RunProtocol) throws {
        try atMost("probe.buffer_bytes", asked.probe.bufferBytes, Int(Int32.max))
        try atMost("probe.passes", asked.probe.passes, maxPasses)
        try atMost("prefill_repetitions", asked.prefillRepetitions, maxRepetitions)
        let (steps, overflow) = asked.contexts.count.multipliedReportingOverflow(by: asked.decodeSteps)
        try atMost("contexts times decode_steps", overflow ? Int.max : steps, maxSteps)
        try atMost("warm_up_steps", asked.warmUpSteps, maxSteps)
        try atMost("the positions of prompt_lengths, contexts and decode_steps", asked.positions, maxPositions)
        if let seconds = asked.sustainedS { try atMost("sustained_s", seconds, maxSustainedS) }
    }

    static func refusal(_ message: String) -> Refusal { Refusal(failure: .request, message: message) }

    private static func atMost(_ name: String, _ value: Int, _ limit: Int) throws {
        if value > limit { throw refusal("\(name) \(value): at most \(limit) here") }
    }
}
