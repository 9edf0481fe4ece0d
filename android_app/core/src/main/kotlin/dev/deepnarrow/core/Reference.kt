@file:OptIn(ExperimentalSerializationApi::class) // JsonClassDiscriminator, EncodeDefault

package dev.deepnarrow.core

import kotlinx.serialization.EncodeDefault
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonClassDiscriminator

const val REFERENCE_SCHEMA = "deepnarrow/reference/1"

/** `reference.json`: what a right artifact answers. */
@Serializable
@JsonClassDiscriminator("family")
sealed interface Reference

/** Of a decoder. */
@Serializable
@SerialName("transformer")
data class TextReference(
    val schema: String,
    @SerialName("decisive_margin") val decisiveMargin: Double,
    val texts: List<GreedyText>,
    @EncodeDefault(EncodeDefault.Mode.NEVER) @SerialName("logit_sample") val logitSample: LogitSample? = null,
) : Reference {
    init {
        requireSchema(schema, REFERENCE_SCHEMA)
    }
}

/**
 * One prompt with its greedy continuation.
 *
 * @property decisive whether any right artifact chooses the id in [greedy] at that step; elsewhere the choice is ambiguous.
 */
@Serializable
data class GreedyText(
    val prompt: List<Int>,
    val greedy: List<Int>,
    val margins: List<Double>,
    val decisive: List<Boolean>,
) {
    init {
        require(prompt.isNotEmpty()) { "prompt must not be empty" }
        require(greedy.size == margins.size && greedy.size == decisive.size) { "greedy, margins and decisive must have one entry per step" }
    }
}

/**
 * Some logits of the first text, which prove something where no margin is decisive.
 *
 * @property rows the logits of [tokenIds], at each of the first greedy steps.
 * @property tolerance largest root mean square difference, over all of them, that a right artifact may show.
 */
@Serializable
data class LogitSample(
    @SerialName("token_ids") val tokenIds: List<Int>,
    val rows: List<List<Double>>,
    val tolerance: Double,
) {
    init {
        require(tokenIds.isNotEmpty() && rows.isNotEmpty() && rows.all { it.size == tokenIds.size }) {
            "logit_sample must have one logit for each id at each step"
        }
    }
}

/** Of an MLP. */
@Serializable
@SerialName("mlp")
data class NetworkReference(
    val schema: String,
    val tolerance: Double,
    val inputs: List<List<Double>>,
    val outputs: List<List<Double>>,
) : Reference {
    init {
        requireSchema(schema, REFERENCE_SCHEMA)
    }
}
