package dev.deepnarrow.core

import kotlinx.serialization.KSerializer
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.encoding.Decoder
import kotlinx.serialization.encoding.Encoder
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonDecoder
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonEncoder
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.intOrNull
import kotlinx.serialization.json.longOrNull

/** A reading during the sustained phase, [atNs] after its start. On the wire an array of three. */
data class ThermalPoint(val atNs: Long, val thermalStatus: Int?, val batteryCelsius: Double?)

/** [ThermalPoint] as `[ns, status, celsius]`. */
internal object ThermalPointSerializer : KSerializer<ThermalPoint> {
    override val descriptor: SerialDescriptor = SerialDescriptor("dev.deepnarrow.core.ThermalPoint", JsonArray.serializer().descriptor)

    override fun serialize(encoder: Encoder, value: ThermalPoint) = (encoder as JsonEncoder).encodeJsonElement(
        JsonArray(listOf(JsonPrimitive(value.atNs), JsonPrimitive(value.thermalStatus), JsonPrimitive(value.batteryCelsius))),
    )

    override fun deserialize(decoder: Decoder): ThermalPoint {
        val array = (decoder as JsonDecoder).decodeJsonElement() as? JsonArray
        require(array != null && array.size == 3) { "a thermal reading must be [ns, status, celsius]" }
        val at = requireNotNull((array[0] as? JsonPrimitive)?.longOrNull) { "a thermal reading must begin with nanoseconds" }
        return ThermalPoint(at, nullable("status", array[1]) { it.intOrNull }, nullable("celsius", array[2]) { it.doubleOrNull })
    }

    private fun <T : Any> nullable(name: String, element: JsonElement, read: (JsonPrimitive) -> T?): T? {
        if (element is JsonNull) return null
        return requireNotNull((element as? JsonPrimitive)?.let(read)) { "$name of a thermal reading must be a number or null" }
    }
}
