package dev.deepnarrow.core

import java.util.Locale

/** The stages in which the loaded model is called, from the self-check to the sustained phase. */
internal class Measurement(
    private val journal: Journal,
    private val device: DeviceProbe,
    private val clock: Clock,
    private val checked: CheckedArtifact,
    runtime: LlmRuntime,
) {
    private val protocol = checked.request.protocol
    private val decoder = Decoder(runtime, text(), checked.chunk, clock)

    fun run() {
        journal.stage(Stage.SELF_CHECK, FailureKind.RUNTIME) { selfCheck() }
        journal.stage(Stage.WARM_UP, FailureKind.RUNTIME) { warmUp() }
        journal.stage(Stage.PREFILL, FailureKind.RUNTIME) { prefill() }
        journal.stage(Stage.DECODE, FailureKind.RUNTIME) { decode() }
        val seconds = protocol.sustainedS ?: return
        journal.stage(Stage.SUSTAINED, FailureKind.RUNTIME) { sustain(seconds) }
    }

    private fun text() = LongArray(protocol.positions.toInt()) { syntheticToken(protocol.tokenSeed, it, checked.vocabSize) }

    private fun selfCheck() {
        val checker = SelfChecker(decoder, checked.reference)
        val result = checker.check()
        journal.note { copy(selfCheck = result) }
        result.firstMismatch?.let { throw Refusal(FailureKind.PARITY, "text ${it.text}, step ${it.step}: token ${it.actual} instead of ${it.expected}") }
        val error = checker.sampleError() ?: return
        if (error <= 1) return // Not a number is no match either.
        throw Refusal(FailureKind.PARITY, "the sampled logits are ${"%.2f".format(Locale.ROOT, error)} times further off than a right model's")
    }

    private fun warmUp() {
        for ((done, length) in protocol.promptLengths.withIndex()) {
            journal.progress(done, protocol.promptLengths.size)
            decoder.prefill(decoder.text, length)
        }
    }

    private fun prefill() {
        for ((done, length) in protocol.promptLengths.withIndex()) {
            journal.progress(done, protocol.promptLengths.size)
            val prefillNs = LongArray(protocol.prefillRepetitions)
            decoder.timePrefill(length, prefillNs)
            journal.note { copy(prefill = prefill + PrefillSamples(length, prefillNs.asList())) }
        }
    }

    private fun decode() {
        for ((done, context) in protocol.contexts.withIndex()) {
            val total = protocol.contexts.size
            journal.progress(done, total)
            val forwardNs = LongArray(protocol.decodeSteps)
            val stepNs = LongArray(protocol.decodeSteps)
            decoder.prefill(decoder.text, context)
            decoder.warmUp(context, protocol.warmUpSteps)
            decoder.timeSteps(context, forwardNs, stepNs) { journal.progress(done, total) }
            journal.note { copy(decode = decode + DecodeSamples(context, forwardNs.asList(), stepNs.asList())) }
        }
    }

    private fun sustain(seconds: Int) {
        val decoded = journal.record.decode.last()
        val limitNs = seconds * 1_000_000_000L
        val room = room(limitNs, decoded.forwardNs.min().coerceAtLeast(1), seconds)
        val startNs = LongArray(room)
        val forwardNs = LongArray(room)
        val thermal = ArrayList<ThermalPoint>()
        val steps = decoder.sustain(decoded.context, limitNs, startNs, forwardNs) { atNs ->
            val now = device.environment()
            thermal.add(ThermalPoint(atNs, now.thermalStatus, now.batteryCelsius))
            journal.progress((atNs / 1_000_000_000L).toInt(), seconds)
        }
        val samples = SustainedSamples(decoded.context, startNs.copyOf(steps).asList(), forwardNs.copyOf(steps).asList(), thermal)
        journal.note { copy(sustained = samples) }
    }

    private fun room(limitNs: Long, fastestNs: Long, seconds: Int): Int {
        val steps = limitNs / fastestNs
        if (steps > CheckedArtifact.MAX_STEPS) {
            throw Refusal(FailureKind.REQUEST, "sustained_s $seconds: $steps steps at $fastestNs ns each; at most ${CheckedArtifact.MAX_STEPS} are kept")
        }
        return (steps * SUSTAINED_ROOM).toInt() + SPARE_STEPS
    }

    private companion object {
        /** Steps there is room for, as a multiple of what the fastest decode step would fill. */
        const val SUSTAINED_ROOM = 1.5
        const val SPARE_STEPS = 1000
    }
}
