package dev.deepnarrow.core

import java.util.Locale

/** Cores that this process may use, on what the record calls [device]. */
internal class Cores(val usable: Int, private val device: Device) {
    /** A machine that plays a phone of eight cores still has only its own. */
    override fun toString() = "$usable cores" + if (device.kind == DeviceKind.FAKE) "; it only plays ${device.model}" else ""
}

/** An artifact that was checked and found to be a decoder that can do what is asked here: the artifact, what is asked of it, and the engine that runs it. */
internal class CheckedArtifact private constructor(
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
        val prompts = protocol.promptLengths + protocol.contexts + reference.texts.map { it.prompt.size }
        val positions = maxOf(protocol.positions.toInt(), checked)
        return LoadOptions(protocol.numThreads, protocol.backend, protocol.loadMode, positions, Decoder.callSizes(prompts, chunk))
    }

    companion object {
        /** Holds the artifact against the engines, and what is asked against artifact and machine. Throws [Refusal]. */
        fun of(artifact: Artifact, request: RunRequest, engines: List<LlmEngine>, cores: Cores): CheckedArtifact {
            val manifest = artifact.manifest
            if (request.contentId != null && request.contentId != manifest.contentId) {
                wrongArtifact("${artifact.folder}: content_id ${manifest.contentId}, but the request is for ${request.contentId}")
            }
            val engine = engines.firstOrNull { it.target == manifest.target }
                ?: wrongArtifact("${manifest.target.word} artifacts do not run here; ${engines.joinToString(" and ") { it.target.word }} ones do")
            engine.unfit?.let(::wrongArtifact)
            val shape = manifest.shape as? TransformerShape
            val reference = artifact.reference as? TextReference
            if (shape == null || reference == null) wrongArtifact("${manifest.shapeName} is an MLP; the run protocol is for decoders")
            checkCaches(shape, manifest.options.maxContext)
            checkReference(reference, shape, manifest.options.maxContext)
            checkRequest(request.protocol, engine, manifest, cores)
            return CheckedArtifact(artifact, reference, shape.vocabSize, request, engine)
        }

        /** A buffer of the virtual machine has at most 2^31 - 1 bytes, here float32. */
        private fun checkCaches(shape: TransformerShape, maxContext: Int) {
            val elements = shape.numKvHeads.toDouble() * shape.headDim * maxContext
            if (elements > MAX_FLOATS) wrongArtifact("max_context $maxContext: a cache of one layer would have ${"%.0f".format(Locale.ROOT, elements)} elements; at most $MAX_FLOATS here")
            if (shape.vocabSize > MAX_FLOATS) wrongArtifact("vocab_size ${shape.vocabSize}: at most $MAX_FLOATS here")
        }

        private fun checkReference(reference: TextReference, shape: TransformerShape, maxContext: Int) {
            for (text in reference.texts) {
                val wrong = (text.prompt + text.greedy).firstOrNull { it !in 0 until shape.vocabSize }
                if (wrong != null) wrongArtifact("reference.json: token $wrong; vocab_size is ${shape.vocabSize}")
                val positions = text.prompt.size + text.greedy.size
                if (positions > maxContext) wrongArtifact("reference.json: a text of $positions positions; max_context is $maxContext")
            }
            reference.logitSample?.let { checkSample(it, reference, shape) }
        }

        private fun checkSample(sample: LogitSample, reference: TextReference, shape: TransformerShape) {
            val wrong = sample.tokenIds.firstOrNull { it !in 0 until shape.vocabSize }
            if (wrong != null) wrongArtifact("reference.json: logit_sample has token $wrong; vocab_size is ${shape.vocabSize}")
            val steps = reference.texts.firstOrNull()?.greedy?.size ?: 0
            if (sample.rows.size > steps) wrongArtifact("reference.json: logit_sample has ${sample.rows.size} rows; its text has $steps steps")
        }

        private fun checkRequest(protocol: Protocol, engine: LlmEngine, manifest: Manifest, cores: Cores) {
            val target = manifest.target.word
            if (protocol.numThreads > cores.usable) refuse("num_threads ${protocol.numThreads}: this machine has $cores")
            if (protocol.positions > manifest.options.maxContext) {
                refuse("the protocol needs ${protocol.positions} positions; max_context is ${manifest.options.maxContext}")
            }
            if (protocol.backend !in engine.backends) {
                refuse("backend ${protocol.backend.word}: $target artifacts run on ${engine.backends.joinToString { it.word }} here")
            }
            if (protocol.loadMode !in engine.loadModes) {
                refuse("load_mode ${protocol.loadMode.word}: $target artifacts load with ${engine.loadModes.joinToString { it.word }} here")
            }
            checkSizes(protocol)
        }

        /** What is kept of a run must fit into memory and into a record that can be read again. */
        private fun checkSizes(protocol: Protocol) {
            atMost("probe.buffer_bytes", protocol.probe.bufferBytes, Int.MAX_VALUE.toLong())
            atMost("probe.passes", protocol.probe.passes.toLong(), MAX_PASSES)
            atMost("prefill_repetitions", protocol.prefillRepetitions.toLong(), MAX_REPETITIONS)
            atMost("contexts times decode_steps", protocol.contexts.size.toLong() * protocol.decodeSteps, MAX_STEPS)
            atMost("the positions of prompt_lengths, contexts and decode_steps", protocol.positions, MAX_POSITIONS)
            protocol.sustainedS?.let { atMost("sustained_s", it.toLong(), MAX_SUSTAINED_S) }
        }

        private fun atMost(name: String, value: Long, limit: Long) {
            if (value > limit) refuse("$name $value: at most $limit here")
        }

        private const val MAX_FLOATS = Int.MAX_VALUE / Float.SIZE_BYTES
        private const val MAX_PASSES = 10_000L
        private const val MAX_REPETITIONS = 10_000L

        /** About 30 MiB of the record, of which at most 64 MiB are read. */
        internal const val MAX_STEPS = 1_000_000L
        private const val MAX_POSITIONS = 1_000_000L
        private const val MAX_SUSTAINED_S = 3600L

        private fun wrongArtifact(message: String): Nothing = throw Refusal(FailureKind.ARTIFACT, message)

        private fun refuse(message: String): Nothing = throw Refusal(FailureKind.REQUEST, message)
    }
}
