package dev.deepnarrow.harness

import android.app.Activity
import android.app.Instrumentation
import android.os.Build
import android.os.Bundle
import android.os.Looper
import android.util.Base64
import dev.deepnarrow.core.Completed
import dev.deepnarrow.core.DeviceKind
import dev.deepnarrow.core.Failed
import dev.deepnarrow.core.FailureKind
import dev.deepnarrow.core.FileEntry
import dev.deepnarrow.core.RefusalCode
import dev.deepnarrow.core.RunStore
import dev.deepnarrow.core.Running
import dev.deepnarrow.core.Wire
import dev.deepnarrow.core.contentIdOf
import dev.deepnarrow.core.sha256
import java.io.File
import java.nio.file.Files
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
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
import org.robolectric.shadows.ShadowEnvironment

private const val TIMEOUT_S = 60L

/** `am instrument` without `am`: the arguments go in, the status bundles and the result come out; the run itself is real. */
@RunWith(RobolectricTestRunner::class)
class InstrumentationTest {
    private lateinit var folders: AllowedFolders

    @Before
    fun storage() {
        mountSharedStorage()
        folders = AllowedFolders.of(RuntimeEnvironment.getApplication())
        folders.prepare()
    }

    private class Recording(private val screen: FullScreenActivity, private val onStatus: (String) -> Unit) : HarnessInstrumentation() {
        val done = CountDownLatch(1)
        val statuses = CopyOnWriteArrayList<Bundle>()
        var code = 99
        var results = Bundle()

        override fun sendStatus(resultCode: Int, results: Bundle?) {
            assertEquals(1, resultCode)
            statuses += results!!
            onStatus(results.getString("stage")!!)
        }

        override fun finish(resultCode: Int, results: Bundle?) {
            code = resultCode
            this.results = results!!
            done.countDown()
        }

        override fun openScreen() = screen
    }

    private fun instrument(vararg arguments: Pair<String, String>, onStatus: (String) -> Unit = {}): Recording {
        val screen = Robolectric.buildActivity(FullScreenActivity::class.java).setup().get()
        val recording = Recording(screen, onStatus)
        for (name in listOf("mInstrContext", "mAppContext")) {
            Instrumentation::class.java.getDeclaredField(name).apply { isAccessible = true }.set(recording, RuntimeEnvironment.getApplication())
        }
        recording.onCreate(Bundle().apply { arguments.forEach { (key, value) -> putString(key, value) } })
        val until = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_S)
        while (!recording.done.await(5, TimeUnit.MILLISECONDS) && System.nanoTime() < until) shadowOf(Looper.getMainLooper()).idleFor(20, TimeUnit.MILLISECONDS)
        assertEquals("timed out", 0L, recording.done.count)
        return recording
    }

    private fun request(runId: String, extra: String = "") = """{"schema": "deepnarrow/run-request/1", "run_id": "$runId", "protocol": {"num_threads": 1,
        "prompt_lengths": [8], "prefill_repetitions": 2, "contexts": [0, 16], "decode_steps": 4, "warm_up_steps": 1,
        "probe": {"buffer_bytes": 1048576, "passes": 3}}, "start_limits": {"wait_s": 0}$extra}"""

    /** With the content_id that the files listed have, so that only their paths are wrong. */
    private fun named(manifest: String): String {
        val json = Json.parseToJsonElement(manifest).jsonObject
        val files = Json.decodeFromJsonElement(ListSerializer(FileEntry.serializer()), json.getValue("files"))
        return JsonObject(json + ("content_id" to JsonPrimitive(contentIdOf(files)))).toString()
    }

    private fun base64(text: String) = Base64.encodeToString(text.toByteArray(), Base64.NO_WRAP)

    private fun refusal(code: RefusalCode, vararg arguments: Pair<String, String>): String {
        val before = folders.runs.list()?.toSet()
        val recording = instrument(*arguments)
        assertEquals(Activity.RESULT_CANCELED, recording.code)
        assertEquals(recording.results.toString(), code.word, recording.results.getString("refusal"))
        assertEquals(before, folders.runs.list()?.toSet())
        return recording.results.getString("message")!!.also { assertFalse(it, it.contains('\n')) }
    }

    /** Nothing that runs, but a folder that the app can read. */
    private fun readable(): File = folders.media.resolve("artifacts/readable").apply { mkdirs() }.apply { resolve("manifest.json").writeText("{}") }

    private fun assertSays(part: String, message: String) = assertTrue("'$message' does not say '$part'", message.contains(part))

    @Test
    fun `prepare makes the folders and tells where they are`() {
        val recording = instrument("op" to "prepare")
        assertEquals(Activity.RESULT_OK, recording.code)
        assertEquals(folders.media.path, recording.results.getString("media_dir"))
        assertTrue(folders.runs.isDirectory && folders.requests.isDirectory)
    }

    @Test
    fun `a run leaves a finished record and tells its progress`() {
        val artifact = TinyArtifacts.push(folders).first()
        val recording = instrument("artifact" to artifact.path, "request" to base64(request("r1")))
        assertEquals(recording.results.toString(), "completed", recording.results.getString("outcome"))
        assertEquals(Activity.RESULT_OK, recording.code)
        val record = Wire.readRecord(File(recording.results.getString("record")!!))
        assertEquals(Completed, record.outcome)
        assertEquals(listOf(4, 4), record.decode.map { it.forwardNs.size })
        assertEquals(DeviceKind.EMULATOR, record.device.kind)
        assertEquals(Build.VERSION.RELEASE, record.device.osVersion)
        assertEquals("deepnarrow-android", record.harness.name)
        val folder = folders.runs.resolve("r1")
        assertEquals(sha256(folder.resolve(RunStore.RECORD_FILE)), Wire.readDone(folder.resolve(RunStore.DONE_FILE)).recordSha256)
        val stages = recording.statuses.map { it.getString("stage") }.distinct()
        assertTrue(stages.toString(), stages.containsAll(listOf("environment", "bandwidth", "load", "self-check", "decode")))
        assertTrue(recording.statuses.all { it.getString("done")!!.toInt() <= it.getString("total")!!.toInt() })
    }

    @Test
    fun `a damaged artifact ends as a failed record, never as a number`() {
        val artifact = TinyArtifacts.push(folders).first()
        artifact.resolve("model.onnx").apply { writeBytes(readBytes().also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() }) }
        val recording = instrument("artifact" to artifact.path, "request" to base64(request("r2")))
        assertEquals("failed", recording.results.getString("outcome"))
        assertEquals(Activity.RESULT_OK, recording.code)
        val record = Wire.readRecord(File(recording.results.getString("record")!!))
        assertEquals(FailureKind.ARTIFACT, (record.outcome as Failed).failure)
        assertTrue(record.decode.isEmpty())
    }

    @Test
    fun `a disk that fails in the middle is a failed run, not bad input`() {
        val artifact = TinyArtifacts.push(folders).first()
        val recording = instrument("artifact" to artifact.path, "request" to base64(request("r9"))) { stage ->
            if (stage == "prefill") folders.runs.resolve("r9/.record.json.tmp/in-the-way").mkdirs()
        }
        assertEquals(Activity.RESULT_OK, recording.code)
        assertEquals("failed", recording.results.getString("outcome"))
        assertTrue(recording.results.getString("message"), recording.results.getString("message")!!.startsWith("storage: "))
        assertTrue(Wire.readRecord(File(recording.results.getString("record")!!)).outcome is Running)
        assertFalse(folders.runs.resolve("r9/done.json").exists())
    }

    @Test
    fun `without ExecuTorch's library a pte artifact is a failed load, not a crash`() {
        val artifact = TinyArtifacts.push(folders, "executorch").first()
        val recording = instrument("artifact" to artifact.path, "request" to base64(request("r8")))
        assertEquals("failed", recording.results.getString("outcome"))
        val failed = Wire.readRecord(File(recording.results.getString("record")!!)).outcome as Failed
        assertEquals(failed.message, FailureKind.LOAD, failed.failure)
        assertTrue(failed.message, failed.message.startsWith("ExecuTorch's library: "))
    }

    @Test
    fun `a hostile manifest cannot lead outside its folder`() {
        val artifact = TinyArtifacts.push(folders).first()
        val secret = folders.media.resolve("secret.txt").apply { writeText("x") }
        artifact.resolve("manifest.json").apply { writeText(named(readText().replaceFirst("\"model.onnx\"", "\"../../../../${secret.name}\""))) }
        val recording = instrument("artifact" to artifact.path, "request" to base64(request("r3")))
        assertEquals("failed", recording.results.getString("outcome"))
        assertTrue(recording.results.getString("message"), recording.results.getString("message")!!.contains("outside"))
    }

    @Test
    fun `the request may be a file in the requests folder`() {
        val artifact = TinyArtifacts.push(folders).first()
        val file = folders.requests.resolve("r4.json").apply { writeText(request("r4")) }
        assertEquals("r4", instrument("artifact" to artifact.path, "request" to file.path).results.getString("run_id"))
    }

    @Test
    fun `a second run is refused while one is active`() {
        RunLock.acquire(RuntimeEnvironment.getApplication().noBackupFilesDir).use {
            assertSays("another run is active", refusal(RefusalCode.ACTIVE_RUN, "artifact" to readable().path, "request" to base64(request("r5"))))
        }
    }

    @Test
    fun `a run id is used once`() {
        folders.runs.resolve("r6").mkdirs()
        val message = refusal(RefusalCode.REQUEST, "artifact" to readable().path, "request" to base64(request("r6")))
        assertSays("exists; every run needs a run_id of its own", message)
    }

    @Test
    fun `shared storage that is not mounted is refused by its code, whatever is asked`() {
        ShadowEnvironment.reset()
        assertSays("shared storage is ", refusal(RefusalCode.SHARED_STORAGE, "op" to "prepare"))
        assertSays("unlock the phone once", refusal(RefusalCode.SHARED_STORAGE, "artifact" to "/etc", "request" to "%%%"))
    }

    @Test
    fun `folders that cannot be made in shared storage are refused by that code`() {
        Files.createSymbolicLink(folders.runs.resolve("r10").toPath(), folders.media.resolve("nowhere").toPath())
        assertSays("r10: cannot be made", refusal(RefusalCode.SHARED_STORAGE, "artifact" to readable().path, "request" to base64(request("r10"))))
        assertTrue(folders.media.deleteRecursively())
        folders.media.writeText("in the way")
        assertSays("runs: cannot be made", refusal(RefusalCode.SHARED_STORAGE, "op" to "prepare"))
        assertTrue(folders.media.delete())
    }

    /** Root reads whatever the mode of a file is, so a missing one and a link to nowhere play those that the app may not read. */
    @Test
    fun `an artifact that the app cannot read is refused by that code before the request is looked at`() {
        val artifact = readable()
        val model = artifact.resolve("model.pte")
        Files.createSymbolicLink(model.toPath(), artifact.resolve("nowhere").toPath())
        assertSays("$model: not there, or the app may not read it", refusal(RefusalCode.UNREADABLE_ARTIFACT, "artifact" to artifact.path, "request" to "%%%"))
        val manifest = artifact.resolve("manifest.json").apply { delete() }
        assertSays("$manifest: not there, or", refusal(RefusalCode.UNREADABLE_ARTIFACT, "artifact" to artifact.path, "request" to "%%%"))
        val elsewhere = "/data/local/tmp/deepnarrow/tiny"
        assertSays("$elsewhere/manifest.json", refusal(RefusalCode.UNREADABLE_ARTIFACT, "artifact" to elsewhere, "request" to "%%%"))
    }

    @Test
    fun `bad input is refused in one line and nothing is written`() {
        val good = base64(request("r7"))
        val media = folders.media.path
        val artifact = readable().path
        fun refused(vararg arguments: Pair<String, String>) = refusal(RefusalCode.REQUEST, *arguments)
        val wrong = mapOf(
            refused("op" to "measure") to "op measure: choose from prepare, run",
            refused("request" to good) to "-e artifact is missing",
            refused("artifact" to artifact) to "-e request is missing",
            refused("artifact" to "/system/../etc", "request" to good) to "outside the allowed folders",
            refused("artifact" to artifact, "request" to "/etc/passwd") to "outside the allowed folders",
            refused("artifact" to artifact, "request" to "$media/missing.json") to "no such file",
            refused("artifact" to artifact, "request" to "%%%") to "neither a path, nor JSON, nor base64",
            refused("artifact" to artifact, "request" to base64("{")) to "request: ",
            refused("artifact" to artifact, "request" to base64(request("r7", """, "colour": 1"""))) to "colour",
            refused("artifact" to artifact, "request" to base64(request("../r7"))) to "run_id",
            refused("artifact" to artifact, "request" to base64(request("r7").replace("request/1", "request/2"))) to "deepnarrow/run-request/2",
        )
        for ((message, part) in wrong) assertSays(part, message)
    }
}
