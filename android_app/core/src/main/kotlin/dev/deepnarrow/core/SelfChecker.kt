package dev.deepnarrow.core

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

    private fun checkText(number: Int, text: GreedyText) {
        val prompt = LongArray(text.prompt.size) { text.prompt[it].toLong() }
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
