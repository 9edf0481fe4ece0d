package dev.deepnarrow.core

import java.math.BigDecimal
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull

/** JSON as plain maps, lists and numbers, so that 1e-05 equals 0.00001; whole numbers stay apart from 1.0. */
internal object JsonNumbers {
    fun plain(element: JsonElement): Any? = when (element) {
        is JsonObject -> element.mapValues { plain(it.value) }
        is JsonArray -> element.map { plain(it) }
        is JsonNull -> null
        is JsonPrimitive -> scalar(element)
    }

    private fun scalar(value: JsonPrimitive): Any = when {
        value.isString -> value.content
        value.booleanOrNull != null -> value.content.toBooleanStrict()
        value.content.all { it.isDigit() || it == '-' } -> value.content.toLong()
        else -> BigDecimal(value.content).stripTrailingZeros()
    }
}
