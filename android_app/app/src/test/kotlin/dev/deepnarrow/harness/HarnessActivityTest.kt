package dev.deepnarrow.harness

import android.app.Activity
import android.app.ActivityManager
import android.app.AlertDialog
import android.content.Intent
import android.content.res.Configuration
import android.os.Looper
import android.os.ParcelFileDescriptor
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.CheckBox
import android.widget.RadioButton
import android.widget.TextView
import dev.deepnarrow.core.RunRequest
import dev.deepnarrow.core.Wire
import dev.deepnarrow.harness.ui.Side
import java.time.Duration
import java.util.zip.ZipInputStream
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
import org.robolectric.shadows.ShadowAlertDialog

@RunWith(RobolectricTestRunner::class)
class HarnessActivityTest {
    private lateinit var folders: AllowedFolders
    private val before = HarnessActivity.worker
    private val drawnBefore = HarnessActivity.drawn

    @Before
    fun storage() {
        mountSharedStorage()
        folders = AllowedFolders.of(RuntimeEnvironment.getApplication())
        HarnessActivity.worker = java.util.concurrent.Executor { it.run() }
        HarnessActivity.drawn = { true }
    }

    @After
    fun worker() {
        HarnessActivity.worker = before
        HarnessActivity.drawn = drawnBefore
    }

    private fun open(intent: Intent = Intent()): ActivityController<HarnessActivity> =
        Robolectric.buildActivity(HarnessActivity::class.java, intent).setup().also { idle() }

    private fun idle() = shadowOf(Looper.getMainLooper()).idle()

    private fun views(root: View): List<View> = listOf(root) + if (root is ViewGroup) (0 until root.childCount).flatMap { views(root.getChildAt(it)) } else emptyList()

    private fun all(activity: Activity) = views(activity.window.decorView)

    private fun texts(activity: Activity) = all(activity).filterIsInstance<TextView>().joinToString("\n") { it.text }

    private fun button(activity: Activity, text: String) = all(activity).filterIsInstance<Button>().first { it.text.toString() == text }

    /** The run that the screen started, as its request. */
    private fun request(started: Intent): RunRequest = Wire.parseRequest(started.getStringExtra("request")!!, "test")

    /** Answers every run of the series as completed; what was started, in order. */
    private fun runAll(activity: Activity): List<Intent> = generateSequence { shadowOf(activity).nextStartedActivityForResult }.map { it.intent }.onEach { started ->
        val answer = Intent().putExtra("run_id", "b").putExtra("outcome", "completed")
        shadowOf(activity).receiveResult(started, Activity.RESULT_OK, answer)
        idle()
    }.toList()

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
    fun `a pair is found before its models, chosen and started`() {
        TinyArtifacts.push(folders)
        val activity = open().get()
        val offered = listOf("tiny\nonnx int4: deep-8x64 and wide-2x128", "deep-8x64\ntiny, onnx int4, alone", "wide-2x128\ntiny, onnx int4, alone")
        assertEquals(offered, all(activity).filterIsInstance<RadioButton>().map { it.text.toString() })
        button(activity, "Run").performClick()
        idle()
        val started = shadowOf(activity).nextStartedActivityForResult.intent
        assertEquals(RunActivity::class.java.name, started.component?.className)
        val artifact = started.getStringExtra("artifact")!!
        assertTrue(artifact, artifact.endsWith("deep-8x64/onnx-int4"))
        val request = request(started)
        assertEquals(listOf(0, 512), request.protocol.contexts)
        assertEquals(Wire.readManifest(java.io.File(artifact, "manifest.json")).contentId, request.contentId)
    }

    @Test
    fun `one press is one session of five runs a side, A B B A from the side that was drawn`() {
        TinyArtifacts.push(folders)
        golden("record_completed", "b")
        for ((deepFirst, order) in listOf(true to "dwwddwwddw", false to "wddwwddwwd")) {
            HarnessActivity.drawn = { deepFirst }
            val activity = open().get()
            button(activity, "Run").performClick()
            idle()
            val started = runAll(activity)
            assertEquals(order, started.joinToString("") { intent -> intent.getStringExtra("artifact")!!.substringAfter("tiny/").take(1) })
            val requests = started.map(::request)
            val session = requests.map { it.session }.distinct().single()!!
            assertTrue(session, session.matches(Regex("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")))
            assertEquals(List(10) { "$session.%02d".format(it) }, requests.map { it.runId })
            assertTrue(requests.all { it.plan == null })
        }
    }

    @Test
    fun `which side begins is drawn, not fixed`() {
        assertEquals(setOf(true, false), List(200) { drawnBefore() }.toSet())
    }

    @Test
    fun `a single model is run alone, and its results name nobody`() {
        TinyArtifacts.push(folders)
        golden("record_completed", "b") { it.replace("\"arm\": \"deep\"", "\"arm\": null") }
        val activity = open().get()
        all(activity).filterIsInstance<RadioButton>()[2].performClick()
        idle()
        button(activity, "Run").performClick()
        idle()
        val started = runAll(activity)
        assertEquals(5, started.size)
        assertTrue(started.all { it.getStringExtra("artifact")!!.endsWith("wide-2x128/onnx-int4") })
        assertTrue(texts(activity), texts(activity).contains("A single model: it has nobody to be compared with."))
    }

    @Test
    fun `what an intent of another app carries starts nothing`() {
        TinyArtifacts.push(folders)
        val artifact = folders.media.resolve("artifacts/tiny/deep-8x64/onnx-int4")
        val intent = Intent().putExtra("artifact", artifact.path).putExtra("request", """{"schema": "deepnarrow/run-request/1", "run_id": "r1"}""")
        val controller = open(intent)
        controller.newIntent(intent)
        idle()
        assertNull(shadowOf(controller.get()).nextStartedActivityForResult)
        assertNull(shadowOf(controller.get()).nextStartedActivity)
    }

    @Test
    fun `the next run waits until the process of the one before is gone`() {
        TinyArtifacts.push(folders)
        val manager = shadowOf(RuntimeEnvironment.getApplication().getSystemService(ActivityManager::class.java))
        manager.setProcesses(listOf(ActivityManager.RunningAppProcessInfo("${RuntimeEnvironment.getApplication().packageName}:run", 4242, emptyArray())))
        val activity = open().get()
        button(activity, "Run").performClick()
        idle()
        assertNull(shadowOf(activity).nextStartedActivityForResult)
        manager.setProcesses(emptyList())
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(1))
        assertNotNull(shadowOf(activity).nextStartedActivityForResult)
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
    fun `where no context fits Run is off, and a plan without contexts is refused`() {
        for (artifact in TinyArtifacts.push(folders)) {
            val manifest = artifact.resolve("manifest.json")
            manifest.writeText(manifest.readText().replace(Regex("\"max_context\": *[0-9]+"), "\"max_context\": 100").replace(Regex("\"prefill_chunk\": *[0-9]+"), "\"prefill_chunk\": 10"))
        }
        val activity = open().get()
        assertFalse(button(activity, "Run").isEnabled)
        val desk = Desk(activity, folders)
        val refused = assertThrows(Refused::class.java) { desk.planned(Series("c", "tiny, onnx int4", 1, listOf(0, 512), 1, Side.DEEP)) }
        assertEquals("tiny, onnx int4 holds 100 positions: 128 tokens fit after none of [0, 512]", refused.message)
        activity.run()
        idle()
        assertNull(shadowOf(activity).nextStartedActivityForResult)
        assertTrue(texts(activity), texts(activity).contains("fit after none of"))
    }

    @Test
    fun `after the last run come the results, of runs of one setup alone`() {
        TinyArtifacts.push(folders)
        val activity = open().get()
        golden("record_completed", "b")
        golden("record_completed", "other-phone-software") { it.replace(":15/AP3A/", ":16/BP4A/") }
        button(activity, "Run").performClick()
        idle()
        runAll(activity)
        assertTrue(texts(activity), texts(activity).contains("Deep against wide"))
        assertEquals(1, all(activity).filterIsInstance<Button>().count { it.text.toString() == "Share" })
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
    @Suppress("DEPRECATION")
    fun `all runs that are shown go out as one archive of the very records`() {
        golden("record_completed", "good")
        golden("record_running", "dead", finished = false)
        val activity = open().get()
        button(activity, "Share all 2 as one file").performClick()
        idle()
        val send = shadowOf(activity).nextStartedActivity.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals("application/zip", send.type)
        val provider = Robolectric.setupContentProvider(RecordProvider::class.java, "${activity.packageName}.records")
        val file = provider.openFile(send.clipData!!.getItemAt(0).uri, "r")
        val entries = ZipInputStream(ParcelFileDescriptor.AutoCloseInputStream(file)).use { zip ->
            generateSequence { zip.nextEntry }.associate { it.name to zip.readBytes().decodeToString() }
        }
        assertEquals(setOf("good/record.json", "good/done.json", "dead/record.json"), entries.keys)
        assertEquals(folders.runs.resolve("good/record.json").readText(), entries["good/record.json"])
    }

    @Test
    fun `runs are deleted after a question, and stay if the answer is no`() {
        golden("record_completed", "good")
        val activity = open().get()
        fun answer(which: Int) {
            button(activity, "Delete").performClick()
            (ShadowAlertDialog.getLatestDialog() as AlertDialog).getButton(which).performClick()
            idle()
        }
        answer(AlertDialog.BUTTON_NEGATIVE)
        assertTrue(folders.runs.resolve("good/record.json").isFile)
        answer(AlertDialog.BUTTON_POSITIVE)
        assertFalse(folders.runs.resolve("good").exists())
        assertTrue(texts(activity), texts(activity).contains("None on this phone yet."))
    }

    @Test
    fun `the history is filtered by what its runs differ in`() {
        golden("record_completed", "old")
        golden("record_completed", "new") { it.replace(":15/AP3A/", ":16/BP4A/") }
        val activity = open().get()
        fun shown() = all(activity).mapNotNull { it.contentDescription?.toString() }.filter { it.startsWith("Share the record of run ") }.map { it.substringAfterLast(' ') }.toSet()
        assertEquals(setOf("old", "new"), shown())
        assertFalse(all(activity).filterIsInstance<Button>().any { it.text.startsWith("App: ") })
        button(activity, "Android: all").performClick()
        idle()
        assertEquals(setOf("old"), shown())
        all(activity).filterIsInstance<Button>().first { it.text.startsWith("Android: ") }.performClick()
        idle()
        assertEquals(setOf("new"), shown())
        all(activity).filterIsInstance<Button>().first { it.text.startsWith("Android: ") }.performClick()
        idle()
        assertEquals(setOf("old", "new"), shown())
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
