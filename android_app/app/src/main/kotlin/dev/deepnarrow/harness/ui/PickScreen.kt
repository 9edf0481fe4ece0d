package dev.deepnarrow.harness.ui

import android.content.Context
import android.view.View
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.widget.Button
import android.widget.CheckBox
import android.widget.LinearLayout
import android.widget.RadioButton
import android.widget.RadioGroup
import android.widget.ScrollView
import dev.deepnarrow.core.verdict.Verdict

/** What can be run: a pair, both of whose sides are on the phone for the same target and scheme, or one model alone. */
class RunChoice(val key: String, val title: String, val detail: String, val maxContext: Int, val isPair: Boolean)

/** What is chosen on the pick screen; kept over rotation. */
data class Choice(val key: String?, val numThreads: Int, val contexts: List<Int>, val runsPerSide: Int)

/**
 * Everything the pick screen shows.
 *
 * @property unusable folders that look like artifacts and are not, with the reason.
 * @property busy a run is going on or about to begin.
 * @property concerns what would make a run's numbers doubtful right now.
 */
class PickState(
    val choices: List<RunChoice>,
    val unusable: List<String>,
    val folders: List<String>,
    val phoneState: String,
    val concerns: List<String>,
    val numCores: Int,
    val decodeSteps: Int,
    val choice: Choice,
    val history: List<RunSummary>,
    val filter: HistoryFilter = HistoryFilter(),
    val busy: Boolean = false,
)

/** What the user does on the pick screen. */
interface PickActions {
    fun choose(choice: Choice)

    fun run()

    fun refresh()

    fun results(of: Results)

    fun share(run: RunSummary)

    /** All of [runs] as one file. */
    fun shareAll(runs: List<RunSummary>)

    /** Asks first. */
    fun delete(runs: List<RunSummary>)

    fun filter(filter: HistoryFilter)
}

class PickScreen(private val context: Context, private val state: PickState, private val actions: PickActions) {
    private val kit = Kit(context)
    private var choice = state.choice
    private val run: Button = kit.button("Run", primary = true) { start() }

    val view: View = ScrollView(context).apply {
        isFillViewport = true
        fitsSystemWindows = true
        setBackgroundColor(kit.palette.background)
        val content = kit.column(
            kit.row(kit.title("deepnarrow"), kit.button("Look again") { actions.refresh() }),
            kit.note("Measures what depth costs: per-token latency and memory bandwidth of two models of equal size."),
            kit.gap(), pairs(), kit.gap(), settings(), kit.gap(), phone(), kit.gap(), HistoryCard(kit, state, actions).view,
        )
        content.setPadding(context.dp(16), context.dp(16), context.dp(16), context.dp(16))
        addView(content)
    }

    private fun pairs(): View {
        val card = kit.card(kit.heading("Pair"))
        if (state.choices.none { it.isPair }) {
            card.addView(kit.note("No pair found. Push both folders of a pair with adb into one of:\n${state.folders.joinToString("\n")}"))
        }
        val group = RadioGroup(context)
        state.choices.forEachIndexed { index, offered ->
            if (!offered.isPair && state.choices.getOrNull(index - 1)?.isPair != false) group.addView(kit.heading("One model alone"))
            group.addView(radio(index, offered))
        }
        group.check(state.choices.indexOfFirst { it.key == choice.key } + 1)
        group.setOnCheckedChangeListener { _, id -> change(choice.copy(key = state.choices[id - 1].key)) }
        card.addView(group)
        state.unusable.forEach { card.addView(kit.body(it, kit.palette.bad)) }
        return card
    }

    private fun radio(index: Int, offered: RunChoice) = RadioButton(context).apply {
        id = index + 1
        text = "${offered.title}\n${offered.detail}"
        setTextColor(kit.palette.text)
        minimumHeight = context.dp(48)
    }

    private fun settings(): View {
        run.isEnabled = canRun()
        return kit.card(
            stepper("Threads", choice.numThreads, 1..state.numCores) { change(choice.copy(numThreads = it)) },
            kit.note("Of the runtime and of the bandwidth probe alike. This phone has ${state.numCores} cores; more threads than big cores often cost time."),
            kit.gap(8),
            stepper("Runs of each model", choice.runsPerSide, 1..10) { change(choice.copy(runsPerSide = it)) },
            kit.note("Each in a process of its own; of a pair A B B A, and which side is A is drawn. ${Verdict.MIN_RUNS} of each are needed to name a winner."),
            kit.gap(8), kit.heading("Tokens already in the context"), contexts(),
            kit.note("At each of them ${state.decodeSteps} tokens are timed one by one."),
            kit.gap(), run,
        )
    }

    private fun canRun(): Boolean = !state.busy && choice.key != null && choice.contexts.any(::fits)

    /** A second tap comes before the run's screen does. */
    private fun start() {
        run.isEnabled = false
        actions.run()
    }

    private fun limit(): Int? = state.choices.firstOrNull { it.key == choice.key }?.maxContext

    private fun fits(position: Int): Boolean = limit().let { it == null || position + state.decodeSteps <= it }

    private fun contexts(): View {
        val column = kit.column()
        val limit = limit()
        for (position in CONTEXTS) {
            val fits = fits(position)
            column.addView(CheckBox(context).apply {
                text = if (fits) position.toString() else "$position (the artifact holds $limit)"
                setTextColor(if (fits) kit.palette.text else kit.palette.faint)
                contentDescription = "$position tokens in the context" + if (fits) "" else ", more than the artifact holds"
                minimumHeight = context.dp(44)
                isEnabled = fits
                isChecked = fits && position in choice.contexts
                setOnCheckedChangeListener { box, on ->
                    val contexts = if (on) choice.contexts + position else choice.contexts - position
                    if (contexts.isEmpty()) box.isChecked = true else change(choice.copy(contexts = contexts.distinct().sorted()))
                }
            })
        }
        return column
    }

    private fun stepper(label: String, initial: Int, range: IntRange, onChange: (Int) -> Unit): View {
        var value = initial
        val shown = kit.heading(value.toString()).apply { accessibilityLiveRegion = View.ACCESSIBILITY_LIVE_REGION_POLITE }
        fun button(text: String, word: String, delta: Int) = kit.button(text) {
            value = (value + delta).coerceIn(range)
            shown.text = value.toString()
            onChange(value)
        }.apply {
            contentDescription = "$word: $label"
            minWidth = context.dp(48)
            minimumWidth = context.dp(48)
        }
        return kit.row(kit.heading(label), button("−", "Fewer", -1), shown, button("+", "More", 1))
    }

    private fun phone(): View {
        val badge = if (state.concerns.isEmpty()) kit.badge("ready", kit.palette.good) else kit.badge("with concerns", kit.palette.warning)
        val badgeRow = LinearLayout(context).apply { addView(badge, LinearLayout.LayoutParams(WRAP_CONTENT, WRAP_CONTENT)) }
        val card = kit.card(kit.heading("Phone"), kit.gap(4), kit.body(state.phoneState), kit.gap(8), badgeRow)
        state.concerns.forEach { card.addView(kit.note(it)) }
        return card
    }

    private fun change(next: Choice) {
        choice = next
        run.isEnabled = canRun()
        actions.choose(next)
    }

    companion object {
        val CONTEXTS = listOf(0, 256, 512, 1024, 2048)
    }
}
