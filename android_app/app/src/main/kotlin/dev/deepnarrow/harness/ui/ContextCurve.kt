package dev.deepnarrow.harness.ui

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path

/** Median latency at one context, and the fastest and slowest run's median. */
class CurvePoint(val context: Int, val medianNs: Double, val lowNs: Double, val highNs: Double)

class Curve(val label: String, val color: Int, val dashed: Boolean, val points: List<CurvePoint>)

/** Latency against the length of the context: where the lines part, the cache costs more than the weights. */
class ContextCurve(context: Context) : Plot(context, 11f) {
    private var curves = emptyList<Curve>()
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { style = Paint.Style.STROKE; strokeWidth = context.dp(2.5f) }

    fun show(curves: List<Curve>) {
        this.curves = curves.filter { it.points.isNotEmpty() }
        changed()
    }

    override fun describe() = "Latency against context. " + curves.joinToString(". ") { curve ->
        curve.label + ": " + curve.points.joinToString { "${Format.milliseconds(it.medianNs)} at position ${it.context}" }
    }

    override fun onDraw(canvas: Canvas) {
        val points = curves.flatMap { it.points }
        if (points.isEmpty()) return
        val slowest = points.maxOf { it.highNs } / 1e6
        val step = step(slowest, 4)
        val top = roundUp(slowest, step)
        val upper = 2.2f * lineHeight
        val lower = height - 2.3f * lineHeight
        legend(canvas)
        val left = rules(canvas, top, step, upper, lower) { Format.tick(it, step) } + context.dp(10f)
        val last = maxOf(1, points.maxOf { it.context })
        val right = width - context.dp(16f)
        val x = { position: Int -> left + (right - left) * position / last }
        val y = { ns: Double -> lower - (ns / 1e6 / top).toFloat() * (lower - upper) }
        axis(canvas, points.map { it.context }.distinct().sorted(), x, lower)
        curves.forEach { draw(canvas, it, x, y) }
    }

    private fun legend(canvas: Canvas) {
        var x = 0f
        for (curve in curves) {
            fill.color = curve.color
            canvas.drawCircle(x + context.dp(5f), lineHeight * 0.7f, context.dp(5f), fill)
            canvas.drawText(curve.label, x + context.dp(15f), lineHeight, values)
            x += context.dp(31f) + values.measureText(curve.label)
        }
        val unit = "ms per token"
        if (x + labels.measureText(unit) < width) canvas.drawText(unit, width - labels.measureText(unit), lineHeight, labels)
    }

    private fun axis(canvas: Canvas, contexts: List<Int>, x: (Int) -> Float, lower: Float) {
        var free = Float.NEGATIVE_INFINITY
        for (position in contexts) {
            val text = position.toString()
            val start = x(position) - labels.measureText(text) / 2
            if (start < free) continue
            canvas.drawText(text, start, lower + lineHeight, labels)
            free = start + labels.measureText(text) + context.dp(8f)
        }
        val title = "tokens already in the context"
        canvas.drawText(title, (width - labels.measureText(title)) / 2, lower + 2 * lineHeight, labels)
    }

    private fun draw(canvas: Canvas, curve: Curve, x: (Int) -> Float, y: (Double) -> Float) {
        line.color = curve.color
        line.pathEffect = if (curve.dashed) android.graphics.DashPathEffect(floatArrayOf(context.dp(8f), context.dp(5f)), 0f) else null
        val path = Path()
        curve.points.forEachIndexed { index, point ->
            if (index == 0) path.moveTo(x(point.context), y(point.medianNs)) else path.lineTo(x(point.context), y(point.medianNs))
        }
        canvas.drawPath(path, line)
        line.pathEffect = null
        fill.color = curve.color
        for (point in curve.points) {
            canvas.drawLine(x(point.context), y(point.lowNs), x(point.context), y(point.highNs), line)
            canvas.drawCircle(x(point.context), y(point.medianNs), context.dp(4f), fill)
        }
    }
}
