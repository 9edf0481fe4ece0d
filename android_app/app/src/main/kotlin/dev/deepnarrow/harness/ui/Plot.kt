package dev.deepnarrow.harness.ui

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.view.View
import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.log10
import kotlin.math.pow

/** A picture with a height in lines of text, so that it grows with the user's font, and a description for TalkBack. */
abstract class Plot(context: Context, private val lines: Float) : View(context) {
    protected val palette = Palette.of(context)
    protected val labels = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = palette.faint; textSize = context.sp(12f) }
    protected val values = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = palette.text; textSize = context.sp(13f); isFakeBoldText = true }
    protected val stroke = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = palette.line; strokeWidth = context.dp(1f) }
    protected val fill = Paint(Paint.ANTI_ALIAS_FLAG)
    protected val lineHeight = context.sp(18f)

    protected abstract fun describe(): String

    /** Call once the numbers are there, never while tokens are timed. */
    protected fun changed() {
        contentDescription = describe()
        requestLayout()
        invalidate()
    }

    protected open fun heightLines(): Float = lines

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        val height = (heightLines() * lineHeight).toInt() + paddingTop + paddingBottom
        setMeasuredDimension(getDefaultSize(suggestedMinimumWidth, widthSpec), resolveSize(height, heightSpec))
    }

    /** Horizontal rules with labels at round values from 0 to [top]; returns the x where the plot begins. */
    protected fun rules(canvas: Canvas, top: Double, step: Double, upper: Float, lower: Float, label: (Double) -> String): Float {
        val ticks = (0..(top / step).toInt()).map { it * step }
        val left = ticks.maxOf { labels.measureText(label(it)) } + context.dp(8f)
        for (tick in ticks) {
            val y = lower - (tick / top).toFloat() * (lower - upper)
            canvas.drawLine(left, y, width.toFloat(), y, stroke)
            canvas.drawText(label(tick), left - context.dp(8f) - labels.measureText(label(tick)), y + labels.textSize / 3, labels)
        }
        return left
    }

    protected companion object {
        /** A round step that cuts 0..[max] into about [parts]. */
        fun step(max: Double, parts: Int): Double {
            val raw = max / parts
            val power = 10.0.pow(floor(log10(raw)))
            return listOf(1.0, 2.0, 5.0, 10.0).first { it * power >= raw - 1e-12 } * power
        }

        fun roundUp(max: Double, step: Double): Double = ceil(max / step - 1e-9) * step
    }
}
