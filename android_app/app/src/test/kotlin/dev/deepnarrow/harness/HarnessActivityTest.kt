package dev.deepnarrow.harness

import android.app.Activity
import android.app.ActivityManager
import android.content.Intent
import android.content.res.Configuration
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.CheckBox
import android.widget.RadioButton
import android.widget.TextView
import dev.deepnarrow.core.Wire
import java.time.Duration
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

@RunWith(RobolectricTestRunner::class)
class HarnessActivityTest {
    private lateinit var folders: AllowedFolders
    private val before = HarnessActivity.worker

    @Before
    fun storage() {
        mountSharedStorage()
        folders = AllowedFolders.of(RuntimeEnvironment.getApplication())
        HarnessActivity.worker = java.util.concurrent.Executor { it.run() }
    }

    @After
    fun worker() {
        HarnessActivity.worker = before
    }

    private fun open(intent: Intent = Intent()): ActivityController<HarnessActivity> =
        Robolectric.buildActivity(HarnessActivity::class.java, intent).setup().also { idle() }

    private fun idle() = shadowOf(Looper.getMainLooper()).idle()

    private fun views(root: View): List<View> = listOf(root) + if (root is ViewGroup) (0 until root.childCount).flatMap { views(root.getChildAt(it)) } else emptyList()

    private fun all(activity: Activity) = views(activity.window.decorView)

    private fun texts(activity: Activity) = all(activity).filterIsInstance<TextView>().joinToString("\n") { it.text }

    private fun button(activity: Activity, text: String) = all(activity).filterIsInstance<Button>().first { it.text.toString() == text }

    private fun golden(name: String, runId: String, finished: Boolean = true, change: (String) -> String = { it }) {
        val folder = folders.runs.resolve(runId).apply { mkdirs() }
        val text = java.io.File("../../tests/golden/$name.json").readText().replace("nightly-7.0042", runId)
        folder.resolve("record.json").writeText(change(text))
        if (finished) folder.resolve("done.json").writeText("{}")
    }

    @Test
    fun `without artifacts it says where to push them and Run is off`() {
        val activity = open().get()
        assertTrue(texts(activity), texts(activity).contains("No pair found. Push both folders of a pair with adb into one of:\n${folders.media}\n/data/local/tmp/deepnarrow"))
        assertEquals(false, button(activity, "Run").isEnabled)
    }

    @Test
    fun `a pair is found, chosen and started, deep first`() {
        TinyArtifacts.push(folders)
        val activity = open().get()
        assertEquals(listOf("tiny\nonnx int4: deep-8x64 and wide-2x128"), all(activity).filterIsInstance<RadioButton>().map { it.text.toString() })
        button(activity, "Run").performClick()
        idle()
        val started = shadowOf(activity).nextStartedActivityForResult
        assertEquals(RunActivity::class.java.name, started.intent.component?.className)
        assertTrue(started.intent.getStringExtra("artifact")!!.endsWith("deep-8x64/onnx-int4"))
        val request = Wire.parseRequest(started.intent.getStringExtra("request")!!, "test")
        assertEquals(listOf(0, 512), request.protocol.contexts)
        assertEquals(0, request.plan!!.order)
    }

    @Test
    fun `a second tap on Run starts nothing`() {
        TinyArtifacts.push(folders)
        val activity = open().get()
        val run = button(activity, "Run")
        run.performClick()
        assertFalse(run.isEnabled)
        activity.run()
        idle()
        assertNotNull(shadowOf(activity).nextStartedActivityForResult)
        assertNull(shadowOf(activity).nextStartedActivityForResult)
    }

    @Test
    fun `am start waits until the process of an earlier run is gone, and is refused while this screen has a run`() {
        val manager = shadowOf(RuntimeEnvironment.getApplication().getSystemService(ActivityManager::class.java))
        val process = ActivityManager.RunningAppProcessInfo("${RuntimeEnvironment.getApplication().packageName}:run", 4242, emptyArray())
        manager.setProcesses(listOf(process))
        val artifact = folders.media.resolve("artifacts/a").apply { mkdirs() }
        fun intent(id: String) = Intent().putExtra("artifact", artifact.path).putExtra("request", """{"schema": "deepnarrow/run-request/1", "run_id": "$id"}""")
        val controller = open(intent("r1"))
        assertNull(shadowOf(controller.get()).nextStartedActivityForResult)
        manager.setProcesses(emptyList())
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(1))
        assertTrue(shadowOf(controller.get()).nextStartedActivityForResult.intent.getStringExtra("request")!!.contains("r1"))
        controller.newIntent(intent("r2"))
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(1))
        assertNull(shadowOf(controller.get()).nextStartedActivityForResult)
        assertTrue(texts(controller.get()), texts(controller.get()).contains(RunLock.ANOTHER_RUN))
    }

    @Test
    fun `where no context fits Run is off, and a plan without contexts is refused`() {
        for (artifact in TinyArtifacts.push(folders)) {
            val manifest = artifact.resolve("manifest.json")
            manifest.writeText(manifest.readText().replace(Regex("\"max_context\": *[0-9]+"), "\"max_context\": 100").replace(Regex("\"prefill_chunk\": *[0-9]+"), "\"prefill_chunk\": 10"))
        }
        val activity = open().get()
        assertFalse(button(activity, "Run").isEnabled)
        val desk = Desk(activity, folders)
        val refused = assertThrows(Refused::class.java) { desk.planned(Series("c", "tiny, onnx int4", 1, listOf(0, 512), 1)) }
        assertEquals("tiny, onnx int4 holds 100 positions: 128 tokens fit after none of [0, 512]", refused.message)
        activity.run()
        idle()
        assertNull(shadowOf(activity).nextStartedActivityForResult)
        assertTrue(texts(activity), texts(activity).contains("fit after none of"))
    }

    @Test
    fun `after the deep run comes the wide one, after the last the results`() {
        TinyArtifacts.push(folders)
        val controller = open()
        val activity = controller.get()
        button(activity, "Run").performClick()
        idle()
        val first = shadowOf(activity).nextStartedActivityForResult
        shadowOf(activity).receiveResult(first.intent, Activity.RESULT_OK, Intent().putExtra("run_id", "a").putExtra("outcome", "completed"))
        idle()
        val second = shadowOf(activity).nextStartedActivityForResult
        assertTrue(second.intent.getStringExtra("artifact")!!.endsWith("wide-2x128/onnx-int4"))
        golden("record_completed", "b")
        shadowOf(activity).receiveResult(second.intent, Activity.RESULT_OK, Intent().putExtra("run_id", "b").putExtra("outcome", "completed"))
        idle()
        assertNull(shadowOf(activity).nextStartedActivityForResult)
        assertTrue(texts(activity), texts(activity).contains("Deep against wide"))
    }

    @Test
    fun `a run that did not complete ends the series`() {
        TinyArtifacts.push(folders)
        val activity = open().get()
        button(activity, "Run").performClick()
        idle()
        val first = shadowOf(activity).nextStartedActivityForResult
        shadowOf(activity).receiveResult(first.intent, Activity.RESULT_CANCELED, null)
        idle()
        assertNull(shadowOf(activity).nextStartedActivityForResult)
    }

    @Test
    fun `am start with extras starts the run, a path outside is refused on the screen`() {
        val request = """{"schema": "deepnarrow/run-request/1", "run_id": "r1"}"""
        val artifact = folders.media.resolve("artifacts/a").apply { mkdirs() }
        val started = shadowOf(open(Intent().putExtra("artifact", artifact.path).putExtra("request", request)).get()).nextStartedActivityForResult
        assertEquals(request, started.intent.getStringExtra("request"))
        val refused = open(Intent().putExtra("artifact", "/data/data/other").putExtra("request", request)).get()
        assertNull(shadowOf(refused).nextStartedActivityForResult)
        assertTrue(texts(refused), texts(refused).contains("/data/data/other: outside the allowed folders"))
    }

    @Test
    fun `records, dead runs and unreadable ones stand in the history`() {
        golden("record_completed", "good")
        golden("record_running", "dead", finished = false)
        golden("record_completed", "newer") { it.replace("run-record/1", "run-record/2") }
        val shown = texts(open().get())
        assertTrue(shown, shown.contains("with warnings: low-battery: battery at 20 %"))
        assertTrue(shown, shown.contains("died: the process ended in stage"))
        assertTrue(shown, shown.contains("deepnarrow/run-record/2"))
    }

    @Test
    fun `a bad manifest is named and does not hide the others`() {
        folders.media.resolve("artifacts/bad").apply { mkdirs() }.resolve("manifest.json").writeText("""{"schema": "deepnarrow/manifest/9"}""")
        val shown = texts(open().get())
        assertTrue(shown, shown.contains("artifacts/bad/manifest.json: "))
    }

    @Test
    @Suppress("DEPRECATION") // The typed getter exists only from Android 13 on.
    fun `sharing sends the very record and the right to read it`() {
        golden("record_completed", "good")
        val activity = open().get()
        button(activity, "Share").performClick()
        val send = shadowOf(activity).nextStartedActivity.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals("content://${activity.packageName}.records/good", send.clipData!!.getItemAt(0).uri.toString())
        assertTrue(send.flags and Intent.FLAG_GRANT_READ_URI_PERMISSION != 0)
    }

    @Test
    fun `choices survive rotation`() {
        TinyArtifacts.push(folders)
        val controller = open()
        all(controller.get()).filterIsInstance<CheckBox>().first { it.text.toString() == "256" }.performClick()
        all(controller.get()).first { it.contentDescription == "Fewer: Threads" }.performClick()
        val threads = controller.get().let { texts(it) }
        controller.configurationChange(Configuration(controller.get().resources.configuration).apply { orientation = Configuration.ORIENTATION_LANDSCAPE })
        idle()
        assertEquals(threads, texts(controller.get()))
        assertTrue(all(controller.get()).filterIsInstance<CheckBox>().first { it.text.toString() == "256" }.isChecked)
    }

    @Test
    fun `everything that can be pressed has a name for TalkBack and is large enough`() {
        golden("record_completed", "good")
        val activity = open().get()
        val minimum = (44 * activity.resources.displayMetrics.density).toInt()
        val pressable = all(activity).filter { it.isClickable && it is TextView }
        assertTrue(pressable.isNotEmpty())
        for (view in pressable) {
            assertNotNull((view as TextView).text.ifEmpty { view.contentDescription })
            assertTrue("${view.text} is ${view.minimumHeight} high", view.minimumHeight >= minimum)
        }
    }
}
