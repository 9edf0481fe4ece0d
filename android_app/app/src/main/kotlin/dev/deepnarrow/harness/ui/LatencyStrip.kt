package dev.deepnarrow.harness.ui

import android.content.Context
import android.graphics.Canvas

/** Timed steps that all began at [context], in their order. */
class StepLatencies(val context: Int, val forwardNs: LongArray)

/** Every timed token as one bar, context after context. It gets a new context only when that context is over: nothing is drawn while tokens are timed. */
class LatencyStrip(context: Context) : Plot(context, 9f) {
    private var parts = emptyList<StepLatencies>()
    private var color = palette.deep

    init {
        contentDescription = describe()
    }

    fun show(parts: List<StepLatencies>, color: Int) {
        this.parts = parts
        this.color = color
        changed()
    }

    override fun describe(): String = if (parts.isEmpty()) {
        "Latency of each token: none measured yet"
    } else {
        "Latency of each token. " + parts.joinToString(". ") { part ->
            "From position ${part.context}: ${part.forwardNs.size} tokens, median ${Format.milliseconds(Statistics.median(part.forwardNs))}, " +
                "slowest ${Format.milliseconds(part.forwardNs.max().toDouble())}"
        }
    }

    override fun onDraw(canvas: Canvas) {
        val upper = lineHeight
        val lower = height - 1.6f * lineHeight
        if (parts.isEmpty()) {
            canvas.drawText("The strip fills after each context; while tokens are timed nothing is drawn.", 0f, height / 2f, labels)
            return
        }
        val slowest = parts.maxOf { it.forwardNs.max() } / 1e6
        val step = step(slowest, 3)
        val top = roundUp(slowest, step)
        canvas.drawText("ms per token", 0f, labels.textSize, labels)
        val left = rules(canvas, top, step, upper + labels.textSize / 2, lower) { Format.tick(it, step) }
        bars(canvas, left, upper + labels.textSize / 2, lower, top)
    }

    private fun bars(canvas: Canvas, left: Float, upper: Float, lower: Float, top: Double) {
        val gap = context.dp(10f)
        val slot = (width - left - gap * (parts.size - 1)) / parts.sumOf { it.forwardNs.size }
        fill.color = color
        var x = left
        for (part in parts) {
            val start = x
            for (ns in part.forwardNs) {
                canvas.drawRect(x, lower - (ns / 1e6 / top).toFloat() * (lower - upper), x + slot * 0.8f, lower, fill)
                x += slot
            }
            canvas.drawText("from ${part.context}", start, lower + lineHeight, labels)
            x += gap
        }
    }
}
