package dev.deepnarrow.harness.ui

import android.content.Context
import android.view.View
import android.widget.ProgressBar
import android.widget.ScrollView

/**
 * A run in progress, as its last event told it.
 *
 * @property stage in the words of the record; [done] of [total] parts of it are over.
 * @property phoneState thermal and battery line; [concerns] so far make the validity badge.
 */
class RunningState(
    val title: String,
    val side: Side?,
    val stage: String,
    val done: Int,
    val total: Int,
    val phoneState: String,
    val concerns: List<String>,
    val latencies: List<StepLatencies>,
)

/** The screen of a run. It has no animation: whatever moves costs time that the run would be charged for. */
class RunningScreen(context: Context, onStop: () -> Unit) {
    private val kit = Kit(context)
    private val title = kit.title("Preparing")
    private val stage = kit.heading("environment")
    private val bar = ProgressBar(context, null, android.R.attr.progressBarStyleHorizontal)
    private val explanation = kit.note("")
    private val strip = LatencyStrip(context)
    private val latest = kit.body("")
    private val phoneState = kit.body("")
    private val badge = kit.badge("no concerns so far", kit.palette.good)
    private val concerns = kit.note("").apply { visibility = View.GONE }

    val view: View = ScrollView(context).apply {
        isFillViewport = true
        fitsSystemWindows = true
        setBackgroundColor(kit.palette.background)
        val content = kit.column(
            kit.row(title, kit.button("Stop") { onStop() }), kit.gap(),
            kit.card(stage, kit.gap(8), bar, kit.gap(4), explanation), kit.gap(),
            kit.card(kit.heading("Latency of each token"), kit.gap(8), strip, latest), kit.gap(),
            kit.card(kit.heading("Phone"), kit.gap(4), phoneState, kit.gap(8), kit.column().apply { addView(badge, wrap()) }, kit.gap(4), concerns),
        )
        content.setPadding(context.dp(16), context.dp(16), context.dp(16), context.dp(16))
        addView(content)
    }

    fun show(state: RunningState) {
        title.text = state.title
        stage.text = "${state.stage}: ${state.done} of ${state.total}"
        bar.max = maxOf(1, state.total)
        bar.setProgress(state.done, false)
        explanation.text = EXPLANATIONS[state.stage] ?: ""
        strip.show(state.latencies, if (state.side == Side.WIDE) kit.palette.wide else kit.palette.deep)
        latest.text = state.latencies.lastOrNull()?.let {
            "From position ${it.context}: half of the ${it.forwardNs.size} tokens took at most ${Format.milliseconds(Statistics.median(it.forwardNs))}."
        } ?: "Filled after each context; while tokens are timed nothing is drawn."
        phoneState.text = state.phoneState
        badge.text = when (state.concerns.size) {
            0 -> "no concerns so far"
            1 -> "1 concern"
            else -> "${state.concerns.size} concerns"
        }
        badge.setTextColor(if (state.concerns.isEmpty()) kit.palette.good else kit.palette.warning)
        concerns.text = state.concerns.joinToString("\n")
        concerns.visibility = if (state.concerns.isEmpty()) View.GONE else View.VISIBLE
    }

    private fun wrap() = android.widget.LinearLayout.LayoutParams(
        android.view.ViewGroup.LayoutParams.WRAP_CONTENT, android.view.ViewGroup.LayoutParams.WRAP_CONTENT,
    )

    private companion object {
        val EXPLANATIONS = mapOf(
            "environment" to "Waits until the phone is cool and calm enough, as the request demands.",
            "bandwidth" to "Reads a large buffer in every thread: what this phone's memory can give right now.",
            "load" to "Opens the model and calls it once.",
            "self-check" to "Compares its tokens with the exporter's. A wrong model may not be fast.",
            "warm-up" to "Untimed prompts, so that nothing is measured cold.",
            "prefill" to "Times whole prompts.",
            "decode" to "Times every single token at each context length.",
            "sustained" to "Decodes on and on, to see what heat does.",
            "finish" to "Looks at the phone once more and closes the record.",
        )
    }
}
