package dev.deepnarrow.core

import java.nio.FloatBuffer
import kotlin.math.pow
import kotlin.math.sqrt

/** The artifact against its `reference.json`: every text, forced along its greedy ids, until the first decisive mismatch. */
internal class SelfChecker(private val decoder: Decoder, private val reference: TextReference) {
    private var decisiveSteps = 0
    private var decisiveMatches = 0
    private var ambiguousSteps = 0
    private var ambiguousMatches = 0
    private var firstMismatch: Mismatch? = null

    fun check(): SelfCheck {
        for ((number, text) in reference.texts.withIndex()) {
            if (firstMismatch == null) checkText(number, text)
        }
        return SelfCheck(decisiveSteps + ambiguousSteps, decisiveSteps, decisiveMatches, ambiguousSteps, ambiguousMatches, firstMismatch)
    }

    /** Root mean square difference of the sampled logits over their tolerance: a right model has at most 1. Null without a sample. */
    fun sampleError(): Double? {
        val sample = reference.logitSample ?: return null
        val text = reference.texts.first()
        val squares = sample.rows.indices.sumOf { step ->
            val logits = logitsAt(text, step)
            sample.tokenIds.indices.sumOf { i -> (logits.get(sample.tokenIds[i]) - sample.rows[step][i]).pow(2) }
        }
        return sqrt(squares / (sample.rows.size * sample.tokenIds.size)) / sample.tolerance
    }

    private fun logitsAt(text: GreedyText, step: Int): FloatBuffer {
        if (step == 0) return decoder.prefillLogits(promptOf(text), text.prompt.size)!!
        decoder.runtime.write(text.greedy[step - 1].toLong(), text.prompt.size + step - 1)
        return decoder.runtime.forward()
    }

    private fun promptOf(text: GreedyText) = LongArray(text.prompt.size) { text.prompt[it].toLong() }

    private fun checkText(number: Int, text: GreedyText) {
        val prompt = promptOf(text)
        var chosen = decoder.prefill(prompt, prompt.size)
        for (step in text.greedy.indices) {
            if (step > 0) chosen = decoder.step(text.greedy[step - 1].toLong(), prompt.size + step - 1)
            val expected = text.greedy[step]
            count(text.decisive[step], chosen == expected)
            if (text.decisive[step] && chosen != expected) {
                firstMismatch = Mismatch(number, step, expected, chosen)
                return
            }
        }
    }

    private fun count(decisive: Boolean, match: Boolean) {
        val hit = if (match) 1 else 0
        if (decisive) {
            decisiveSteps++
            decisiveMatches += hit
        } else {
            ambiguousSteps++
            ambiguousMatches += hit
        }
    }
}
