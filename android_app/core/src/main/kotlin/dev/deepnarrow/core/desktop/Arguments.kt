package dev.deepnarrow.core.desktop

import dev.deepnarrow.core.UserError
import java.io.File

/** What was typed after `run`. */
internal class Arguments(val artifact: File, val request: File, val out: File, val deviceJson: File?) {
    companion object {
        private val NEEDED = listOf("--artifact", "--request", "--out")
        private val KNOWN = NEEDED + "--device-json"

        /** Throws [UserError] for anything unknown, missing or given twice. */
        fun parse(words: List<String>): Arguments {
            if (words.firstOrNull() != "run") throw UserError("unknown command '${words.firstOrNull().orEmpty()}'; there is: run, --help, --version")
            val values = HashMap<String, String>()
            for (pair in words.drop(1).chunked(2)) {
                val name = pair[0]
                if (name !in KNOWN) throw UserError("unknown option '$name'; choose from ${KNOWN.joinToString()}")
                val value = pair.getOrNull(1) ?: throw UserError("$name needs a value")
                if (values.put(name, value) != null) throw UserError("$name is given twice")
            }
            val missing = NEEDED.firstOrNull { it !in values }
            if (missing != null) throw UserError("$missing is missing")
            return Arguments(File(values.getValue("--artifact")), File(values.getValue("--request")), File(values.getValue("--out")), values["--device-json"]?.let(::File))
        }
    }
}
