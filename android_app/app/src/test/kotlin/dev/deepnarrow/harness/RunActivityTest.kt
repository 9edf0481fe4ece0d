package dev.deepnarrow.harness

import android.app.Activity
import android.content.Intent
import android.os.Looper
import android.os.Process
import android.view.WindowManager
import dev.deepnarrow.core.ConcernCode
import dev.deepnarrow.core.Severity
import dev.deepnarrow.core.Wire
import dev.deepnarrow.harness.ui.RunningState
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowProcess

@RunWith(RobolectricTestRunner::class)
class RunActivityTest {
    private lateinit var folders: AllowedFolders

    @Before
    fun storage() {
        mountSharedStorage()
        folders = AllowedFolders.of(RuntimeEnvironment.getApplication()).apply { prepare() }
        RunActivity.started = false
    }

    private fun idle() = shadowOf(Looper.getMainLooper()).idleFor(20, TimeUnit.MILLISECONDS)

    /** [during] happens once, when the record's shell is there. */
    private fun run(artifact: String, request: String, during: (ActivityController<RunActivity>) -> Unit = {}): ActivityController<RunActivity> {
        val intent = Intent().putExtra("artifact", artifact).putExtra("request", request)
        val controller = Robolectric.buildActivity(RunActivity::class.java, intent).setup()
        val until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60)
        var happened = false
        while (!controller.get().isFinishing && System.nanoTime() < until) {
            if (!happened && folders.runs.resolve("r1/record.json").exists()) {
                happened = true
                during(controller)
            }
            Thread.sleep(5)
            idle()
        }
        assertTrue("timed out", controller.get().isFinishing)
        return controller
    }

    private val request = """{"schema": "deepnarrow/run-request/1", "run_id": "r1", "protocol": {"num_threads": 1, "prompt_lengths": [8],
        "prefill_repetitions": 1, "contexts": [0], "decode_steps": 2, "warm_up_steps": 1, "probe": {"buffer_bytes": 1048576, "passes": 3}}}"""

    @Test
    fun `a run answers with its outcome and its process ends with it`() {
        val controller = run(TinyArtifacts.push(folders).first().path, request)
        val shadow = shadowOf(controller.get())
        assertEquals(Activity.RESULT_OK, shadow.resultCode)
        assertEquals("completed", shadow.resultIntent.getStringExtra("outcome"))
        assertEquals("r1", shadow.resultIntent.getStringExtra("run_id"))
        controller.pause().stop().destroy()
        assertTrue(ShadowProcess.wasKilled(Process.myPid()))
    }

    @Test
    fun `what is refused is said and leaves no record`() {
        val shadow = shadowOf(run("/etc", request).get())
        assertTrue(shadow.resultIntent.getStringExtra("message")!!.contains("/etc: outside the allowed folders"))
        assertFalse(shadow.resultIntent.hasExtra("outcome"))
        assertFalse(folders.runs.resolve("r1").exists())
    }

    @Test
    fun `a visit to Home in the middle makes the run invalid, although it is over at the end`() {
        val controller = run(TinyArtifacts.push(folders).first().path, request) { it.pause().resume() }
        assertEquals("completed", shadowOf(controller.get()).resultIntent.getStringExtra("outcome"))
        val record = Wire.readRecord(folders.runs.resolve("r1/record.json"))
        assertEquals(false, record.environmentAfter!!.foreground)
        assertTrue(record.concerns.toString(), record.concerns.any { it.code == ConcernCode.BACKGROUND && it.severity == Severity.INVALID })
    }

    @Test
    fun `leaving before a run is no matter of the run`() {
        Robolectric.buildActivity(FullScreenActivity::class.java).setup().pause().resume()
        assertFalse(FullScreenActivity.stayedInForeground())
        FullScreenActivity.beginRun()
        assertTrue(FullScreenActivity.stayedInForeground())
    }

    @Test
    fun `a second start says that a run is active, ends, and leaves the process alone`() {
        var second: ActivityController<RunActivity>? = null
        val first = run(TinyArtifacts.push(folders).first().path, request) { second = Robolectric.buildActivity(RunActivity::class.java, Intent()).create() }
        val activity = second!!.get()
        assertTrue(activity.isFinishing)
        assertEquals(RunLock.ANOTHER_RUN, shadowOf(activity).resultIntent.getStringExtra("message"))
        second.destroy()
        assertFalse(ShadowProcess.wasKilled(Process.myPid()))
        assertEquals("completed", shadowOf(first.get()).resultIntent.getStringExtra("outcome"))
    }

    @Test
    fun `a screen that Android makes again shows the run on and answers for it`() {
        val controller = run(TinyArtifacts.push(folders).first().path, request) { it.recreate() }
        assertEquals("completed", shadowOf(controller.get()).resultIntent.getStringExtra("outcome"))
    }

    @Test
    fun `the screen stays on and shows over the lock screen`() {
        val activity = Robolectric.buildActivity(FullScreenActivity::class.java).setup().get()
        assertTrue(shadowOf(activity.window).getFlag(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON))
        assertTrue(shadowOf(activity).showWhenLocked)
        assertTrue(shadowOf(activity).turnScreenOn)
    }

    @Test
    fun `leaving the screen is seen`() {
        val controller = Robolectric.buildActivity(FullScreenActivity::class.java).setup()
        assertTrue(FullScreenActivity.foreground)
        controller.pause()
        assertFalse(FullScreenActivity.foreground)
    }

    @Test
    fun `the run waits until the frame is out, so that nothing is drawn while tokens are timed`() {
        val activity = Robolectric.buildActivity(FullScreenActivity::class.java).setup().get()
        val shown = CountDownLatch(1)
        thread {
            activity.show(RunningState("t", null, "decode", 1, 2, "cool", emptyList(), emptyList()))
            shown.countDown()
        }
        assertFalse("went on before the main thread drew", shown.await(100, TimeUnit.MILLISECONDS))
        while (!shown.await(1, TimeUnit.MILLISECONDS)) idle()
    }
}
