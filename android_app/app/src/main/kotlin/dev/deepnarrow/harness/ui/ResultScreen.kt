package dev.deepnarrow.harness.ui

import android.content.Context
import android.view.View
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.widget.LinearLayout
import android.widget.ScrollView

/** Deep against wide: the ratio, its spread, what memory has to do with it, the latency curve, and the runs it all rests on. */
class ResultScreen(
    private val context: Context,
    private val comparison: PairComparison,
    private val onShare: (RunSummary) -> Unit,
    private val onBack: () -> Unit,
) {
    private val kit = Kit(context)
    private val runs = comparison.runs
    private val isPair = runs.any { it.side != null }

    val view: View = ScrollView(context).apply {
        isFillViewport = true
        fitsSystemWindows = true
        setBackgroundColor(kit.palette.background)
        val content = kit.column(
            kit.row(kit.title(if (isPair) "Deep against wide" else comparison.name), kit.button("Back") { onBack() }),
            kit.note("${runs.first().title}, ${runs.first().device}"),
            origin(), kit.gap(), verdict(), kit.gap(), bandwidth(), kit.gap(), curve(), kit.gap(), history(),
        )
        content.setPadding(context.dp(16), context.dp(16), context.dp(16), context.dp(16))
        addView(content)
    }

    private fun origin(): View = if (runs.all { it.phone }) {
        kit.gap(0)
    } else {
        kit.body("Not a phone's numbers: ${runs.map { it.device }.distinct().joinToString()}.", kit.palette.bad)
    }

    private fun verdict(): View {
        val first = comparison.verdicts.firstOrNull() ?: return alone()
        val badge = kit.badge(Sentences.word(first), if (Sentences.isNamed(first)) kit.palette.good else kit.palette.warning)
        val card = kit.card(
            kit.row(kit.heading("Time per token, deep / wide"), badge),
            kit.figure(Sentences.ratioFigure(first)),
            kit.body(Sentences.interval(first)), kit.gap(6), kit.note(Sentences.ratio(first)), kit.gap(4), kit.note(Sentences.reason(first)),
        )
        comparison.verdicts.drop(1).forEach { other ->
            card.addView(kit.gap(8))
            card.addView(kit.body("At ${other.context}: ${Sentences.ratioFigure(other)}, ${Sentences.interval(other)}: ${Sentences.word(other)}"))
            card.addView(kit.note(Sentences.ratio(other)))
            card.addView(kit.note(Sentences.reason(other)))
        }
        return card
    }

    /** Without two sides there is no ratio, but the times of those that ran. */
    private fun alone(): View {
        val card = kit.card(kit.heading("Time per token"), kit.note(Sentences.oneSideOnly(comparison)))
        comparison.usable.groupBy { it.shapeName }.forEach { (shape, usable) ->
            usable.flatMap { it.contexts }.groupBy { it.context }.toSortedMap().forEach { (position, measured) ->
                card.addView(kit.gap(4))
                card.addView(kit.body(Sentences.alone(shape, position, SideAtContext(measured.map { it.medianNs }))))
            }
        }
        return card
    }

    private fun bandwidth(): View {
        val bars = Side.entries.mapNotNull { side ->
            comparison.bandwidth(side)?.let { (achieved, ceiling) -> BandwidthBar(side.word, color(side), achieved, ceiling) }
        }
        return kit.card(
            kit.heading("Memory bandwidth while decoding"), kit.gap(4),
            BandwidthBars(context).apply { show(bars) }, kit.gap(4), kit.note(Sentences.bandwidth(comparison)),
        )
    }

    private fun curve(): View {
        val curves = Side.entries.map { side -> Curve(side.word, color(side), side == Side.WIDE, comparison.curve(side)) }
        val card = kit.card(
            kit.heading("Latency against context"), kit.gap(4),
            ContextCurve(context).apply { show(curves) }, kit.gap(4), kit.note(Sentences.curve(comparison)),
        )
        for (side in Side.entries) {
            val first = comparison.of(side).lastOrNull()?.contexts?.firstOrNull() ?: continue
            card.addView(kit.gap(4))
            card.addView(kit.note("Last run, " + Sentences.tail(side.word, first)))
        }
        return card
    }

    private fun history(): View {
        val card = kit.card(kit.heading("Runs"), kit.note("Each is a process of its own and one JSON file; sharing sends that very file."))
        runs.sortedBy { it.startedUtc }.forEach { run ->
            card.addView(kit.gap(8))
            card.addView(runRow(kit, run, onShare))
        }
        return card
    }

    private fun color(side: Side) = if (side == Side.DEEP) kit.palette.deep else kit.palette.wide
}

/** One run in a list: what, how it ended, its latency, and the button that shares its file. */
internal fun runRow(kit: Kit, run: RunSummary, onShare: (RunSummary) -> Unit): LinearLayout {
    val first = run.contexts.firstOrNull()
    val latency = if (first == null) "" else ", ${Format.milliseconds(first.medianNs)} per token"
    val color = if (run.usable) kit.palette.faint else kit.palette.bad
    val origin = if (run.phone) "" else ", ${run.device}"
    val text = kit.column(
        kit.body("${run.shapeName}$latency$origin"),
        kit.body("${run.startedUtc}, ${Sentences.validity(run)}", color).apply { textSize = 12f },
    )
    val share = kit.button("Share") { onShare(run) }.apply { contentDescription = "Share the record of run ${run.runId}" }
    return kit.row(text, share).apply { minimumHeight = WRAP_CONTENT }
}
