package dev.deepnarrow.harness

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.view.View
import android.widget.TextView
import dev.deepnarrow.harness.ui.Choice
import dev.deepnarrow.harness.ui.Ending
import dev.deepnarrow.harness.ui.HistoryFilter
import dev.deepnarrow.harness.ui.MessageScreen
import dev.deepnarrow.harness.ui.PairComparison
import dev.deepnarrow.harness.ui.PickActions
import dev.deepnarrow.harness.ui.PickScreen
import dev.deepnarrow.harness.ui.PickState
import dev.deepnarrow.harness.ui.ResultScreen
import dev.deepnarrow.harness.ui.Results
import dev.deepnarrow.harness.ui.RunChoice
import dev.deepnarrow.harness.ui.RunSummary
import dev.deepnarrow.harness.ui.RunningScreen
import dev.deepnarrow.harness.ui.RunningState
import dev.deepnarrow.harness.ui.Side
import dev.deepnarrow.harness.ui.StepLatencies
import dev.deepnarrow.harness.ui.run
import java.io.File
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

private const val WIDTH_DP = 411

/** Draws all screens with Android's own renderer to target/screenshots: light, dark, with a 200 % font, 320 and 600 dp wide. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-xhdpi")
class ScreenshotsTest {
    @Test
    fun `light, dark and with a large font`() {
        for ((name, qualifiers, fontScale) in listOf(Triple("", "+notnight", 1f), Triple("-dark", "+night", 1f), Triple("-large", "+notnight", 2f))) {
            RuntimeEnvironment.setQualifiers(qualifiers)
            RuntimeEnvironment.setFontScale(fontScale)
            drawAll(name, WIDTH_DP)
        }
    }

    @Test
    fun `on a small phone and on a tablet`() {
        for (widthDp in listOf(320, 600)) for (night in listOf("night", "notnight")) {
            RuntimeEnvironment.setQualifiers("+w${widthDp}dp-$night")
            drawAll("-$widthDp-$night", widthDp)
        }
    }

    private fun drawAll(name: String, widthDp: Int) {
        val activity = Robolectric.buildActivity(Activity::class.java).setup().get()
        draw(PickScreen(activity, pick(), NoActions).view, "pick$name", widthDp)
        draw(RunningScreen(activity, {}).apply { show(running()) }.view, "running$name", widthDp)
        draw(ResultScreen(activity, PairComparison(runs(), "example pair"), {}, {}).view, "result$name", widthDp)
        val alone = PairComparison(runs().map { it.copy(side = null) }.filter { it.shapeName.startsWith("deep") }, "example pair")
        draw(ResultScreen(activity, alone, {}, {}).view, "alone$name", widthDp)
        draw(MessageScreen(activity, "artifacts/x: outside the allowed folders") {}.view, "message$name", widthDp)
    }

    private fun draw(view: View, name: String, widthDp: Int) {
        val density = view.resources.displayMetrics.density
        val width = (widthDp * density).toInt()
        view.measure(View.MeasureSpec.makeMeasureSpec(width, View.MeasureSpec.EXACTLY), View.MeasureSpec.makeMeasureSpec(0, View.MeasureSpec.UNSPECIFIED))
        view.layout(0, 0, width, view.measuredHeight)
        val bitmap = Bitmap.createBitmap(width, view.measuredHeight, Bitmap.Config.ARGB_8888)
        view.jumpDrawablesToCurrentState()
        view.draw(Canvas(bitmap))
        val file = File("target/screenshots/$name.png").apply { parentFile.mkdirs() }
        file.outputStream().use { assertTrue(bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)) }
        assertTrue("$name is blank", colors(bitmap) > 8)
        val texts = texts(view)
        assertTrue("$name has text cut off: ${texts.filter(::isCut).map { it.text }}", texts.none(::isCut))
    }

    private fun colors(bitmap: Bitmap): Int = buildSet { for (y in 0 until bitmap.height step 7) for (x in 0 until bitmap.width step 7) add(bitmap.getPixel(x, y)) }.size

    private fun texts(view: View): List<TextView> = when (view) {
        is TextView -> listOf(view)
        is android.view.ViewGroup -> (0 until view.childCount).flatMap { texts(view.getChildAt(it)) }
        else -> emptyList()
    }

    private fun isCut(text: TextView): Boolean = text.layout != null && text.layout.height > text.height - text.compoundPaddingTop - text.compoundPaddingBottom + 1

    private fun runs(): List<RunSummary> = List(5) { i ->
        listOf(run(Side.DEEP, 6.0 + 0.05 * i, "example-d$i", device = DEVICE), run(Side.WIDE, 5.0 + 0.04 * i, "example-w$i", device = DEVICE))
    }.flatten() + run(Side.WIDE, 5.0, "example-x", ending = Ending.SKIPPED, device = DEVICE)

    private fun pick() = PickState(
        choices = listOf(
            RunChoice("k", "mobilellm-125m", "onnx int4: deep-30x576 and wide-12x864", 1024, isPair = true),
            RunChoice("d", "deep-30x576", "mobilellm-125m, onnx int4, alone", 1024, isPair = false),
            RunChoice("w", "wide-12x864", "mobilellm-125m, onnx int4, alone", 1024, isPair = false),
        ),
        unusable = listOf("artifacts/broken: manifest.json: schema deepnarrow/manifest/9 is not deepnarrow/manifest/1"),
        folders = emptyList(), phoneState = "thermal status 0 (none), battery 81 %, 30.5 °C, not charging",
        concerns = listOf("debug build: numbers of a debug build are not comparable"), numCores = 8, decodeSteps = 128,
        choice = Choice("k", 4, listOf(0, 512), 5), history = runs(),
    )

    private fun running() = RunningState(
        title = "deep-30x576 (EXAMPLE, not measured)", side = Side.DEEP, stage = "decode", done = 1, total = 2,
        phoneState = "thermal status 0 (none), battery 81 %, 30.5 °C, not charging", concerns = emptyList(),
        latencies = run(Side.DEEP, 6.0).contexts.map { StepLatencies(it.context, it.forwardNs) },
    )

    private object NoActions : PickActions {
        override fun choose(choice: Choice) = Unit
        override fun run() = Unit
        override fun refresh() = Unit
        override fun results(of: Results) = Unit
        override fun share(run: RunSummary) = Unit
        override fun shareAll(runs: List<RunSummary>) = Unit
        override fun delete(runs: List<RunSummary>) = Unit
        override fun filter(filter: HistoryFilter) = Unit
    }

    private companion object {
        const val DEVICE = "EXAMPLE, not measured"
    }
}
