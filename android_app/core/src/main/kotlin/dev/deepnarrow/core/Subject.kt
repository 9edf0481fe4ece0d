package dev.deepnarrow.core

/** A checked decoder artifact, what is asked of it, and the engine that runs it. */
internal class Subject private constructor(
    val artifact: Artifact,
    val reference: TextReference,
    val vocabSize: Int,
    val request: RunRequest,
    val engine: LlmEngine,
) {
    val chunk: Int get() = artifact.manifest.options.prefillChunk

    fun loadOptions(): LoadOptions {
        val protocol = request.protocol
        val checked = reference.texts.maxOfOrNull { it.prompt.size + it.greedy.size } ?: 0
        val prompts = protocol.promptLengths + protocol.depths + reference.texts.map { it.prompt.size }
        val positions = maxOf(protocol.positions.toInt(), checked)
        return LoadOptions(protocol.numThreads, protocol.backend, protocol.loadMode, positions, Decoder.callSizes(prompts, chunk))
    }

    companion object {
        /** Holds the artifact against the engines, and what is asked against artifact and machine. Throws [Refusal]. */
        fun of(artifact: Artifact, request: RunRequest, engines: List<LlmEngine>, cores: Int): Subject {
            val manifest = artifact.manifest
            if (request.jobId != null && request.jobId != manifest.jobId) {
                wrongArtifact("${artifact.folder}: job ${manifest.jobId}, but the request is for ${request.jobId}")
            }
            val engine = engines.firstOrNull { it.target == manifest.target }
                ?: wrongArtifact("${manifest.target.word} artifacts do not run here; ${engines.joinToString(" and ") { it.target.word }} ones do")
            val shape = manifest.shape as? TransformerShape
            val reference = artifact.reference as? TextReference
            if (shape == null || reference == null) wrongArtifact("${manifest.shapeName} is an MLP; the run protocol is for decoders")
            checkReference(reference, shape, manifest.options.maxContext)
            checkRequest(request.protocol, engine, manifest, cores)
            return Subject(artifact, reference, shape.vocabSize, request, engine)
        }

        private fun checkReference(reference: TextReference, shape: TransformerShape, maxContext: Int) {
            for (text in reference.texts) {
                val wrong = (text.prompt + text.greedy).firstOrNull { it !in 0 until shape.vocabSize }
                if (wrong != null) wrongArtifact("reference.json: token $wrong; vocab_size is ${shape.vocabSize}")
                val positions = text.prompt.size + text.greedy.size
                if (positions > maxContext) wrongArtifact("reference.json: a text of $positions positions; max_context is $maxContext")
            }
        }

        private fun checkRequest(protocol: Protocol, engine: LlmEngine, manifest: Manifest, cores: Int) {
            val target = manifest.target.word
            if (protocol.numThreads > cores) refuse("num_threads ${protocol.numThreads}: this machine has $cores cores")
            if (protocol.positions > manifest.options.maxContext) {
                refuse("the protocol needs ${protocol.positions} positions; max_context is ${manifest.options.maxContext}")
            }
            if (protocol.backend !in engine.backends) {
                refuse("backend ${protocol.backend.word}: $target artifacts run on ${engine.backends.joinToString { it.word }} here")
            }
            if (protocol.loadMode !in engine.loadModes) {
                refuse("load_mode ${protocol.loadMode.word}: $target artifacts load with ${engine.loadModes.joinToString { it.word }} here")
            }
            if (protocol.probe.bufferBytes > Int.MAX_VALUE) refuse("probe.buffer_bytes ${protocol.probe.bufferBytes}: at most ${Int.MAX_VALUE} here")
        }

        private fun wrongArtifact(message: String): Nothing = throw Refusal(FailureKind.ARTIFACT, message)

        private fun refuse(message: String): Nothing = throw Refusal(FailureKind.REQUEST, message)
    }
}
