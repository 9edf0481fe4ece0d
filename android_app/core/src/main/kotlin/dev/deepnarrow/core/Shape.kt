@file:OptIn(ExperimentalSerializationApi::class) // JsonClassDiscriminator

package dev.deepnarrow.core

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonClassDiscriminator

/** Whatever changes weights or graph of a network. */
@Serializable
@JsonClassDiscriminator("family")
sealed interface Shape

/** A Llama-family decoder; `models/shape.py` describes each field. */
@Serializable
@SerialName("transformer")
data class TransformerShape(
    @SerialName("num_layers") val numLayers: Int,
    @SerialName("hidden_size") val hiddenSize: Int,
    @SerialName("num_heads") val numHeads: Int,
    @SerialName("num_kv_heads") val numKvHeads: Int,
    @SerialName("head_dim") val headDim: Int,
    @SerialName("ffn_size") val ffnSize: Int,
    @SerialName("vocab_size") val vocabSize: Int,
    @SerialName("tie_embeddings") val tieEmbeddings: Boolean,
    @SerialName("layer_repeats") val layerRepeats: Int,
    @SerialName("qkv_bias") val qkvBias: Boolean,
    @SerialName("qk_norm") val qkNorm: Boolean,
    @SerialName("rope_theta") val ropeTheta: Double,
    @SerialName("rope_scaling") val ropeScaling: RopeScaling?,
    @SerialName("norm_eps") val normEps: Double,
) : Shape {
    init {
        val sizes = listOf(numLayers, hiddenSize, numHeads, numKvHeads, headDim, ffnSize, vocabSize, layerRepeats)
        require(sizes.all { it >= 1 }) { "shape: every size must be at least 1, got $sizes" }
    }

    /** Caches of the graph: one for each executed block. */
    val numPasses: Int get() = numLayers * layerRepeats
}

/** Frequency scaling of Llama 3.1 and 3.2. */
@Serializable
data class RopeScaling(
    val factor: Double,
    @SerialName("low_freq_factor") val lowFreqFactor: Double,
    @SerialName("high_freq_factor") val highFreqFactor: Double,
    @SerialName("original_max_context") val originalMaxContext: Int,
)

/** A plain ReLU network. */
@Serializable
@SerialName("mlp")
data class MlpShape(
    @SerialName("num_layers") val numLayers: Int,
    @SerialName("hidden_size") val hiddenSize: Int,
    @SerialName("input_size") val inputSize: Int,
    @SerialName("output_size") val outputSize: Int,
) : Shape

/** Stored bytes by what they are for. */
@Serializable
data class RoleBytes(val embedding: Long, val head: Long, val layers: Long, val overhead: Long)
