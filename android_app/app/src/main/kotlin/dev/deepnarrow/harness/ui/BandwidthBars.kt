package dev.deepnarrow.harness.ui

import android.content.Context
import android.graphics.Canvas

/** What one arm reads from memory while it decodes, and what the probe found the memory can give. */
class BandwidthBar(val label: String, val color: Int, val achievedBytesPerS: Double, val ceilingBytesPerS: Double)

/** Achieved bandwidth of each arm against the ceiling of its own runs. */
class BandwidthBars(context: Context) : Plot(context, 0f) {
    private var bars = emptyList<BandwidthBar>()

    fun show(bars: List<BandwidthBar>) {
        this.bars = bars
        changed()
    }

    override fun heightLines() = 2.7f * bars.size

    override fun describe() = "Memory bandwidth while decoding. " + bars.joinToString(". ") {
        "${it.label}: ${Format.bandwidth(it.achievedBytesPerS)} of a ceiling of ${Format.bandwidth(it.ceilingBytesPerS)}, " +
            Format.percent(it.achievedBytesPerS / it.ceilingBytesPerS)
    }

    override fun onDraw(canvas: Canvas) {
        if (bars.isEmpty()) return
        val full = bars.maxOf { maxOf(it.achievedBytesPerS, it.ceilingBytesPerS) }
        bars.forEachIndexed { index, bar -> draw(canvas, bar, index * 2.7f * lineHeight, full) }
    }

    private fun draw(canvas: Canvas, bar: BandwidthBar, top: Float, full: Double) {
        val text = "${Format.bandwidth(bar.achievedBytesPerS)} of ${Format.bandwidth(bar.ceilingBytesPerS)}"
        canvas.drawText(bar.label, 0f, top + lineHeight, values)
        canvas.drawText(text, width - labels.measureText(text), top + lineHeight, labels)
        val upper = top + 1.35f * lineHeight
        val lower = upper + 0.75f * lineHeight
        val radius = context.dp(4f)
        val ceiling = (bar.ceilingBytesPerS / full * width).toFloat()
        fill.color = palette.line
        canvas.drawRoundRect(0f, upper, ceiling, lower, radius, radius, fill)
        fill.color = bar.color
        canvas.drawRoundRect(0f, upper, (bar.achievedBytesPerS / full * width).toFloat(), lower, radius, radius, fill)
    }
}
