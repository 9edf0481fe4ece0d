package dev.deepnarrow.harness

import dev.deepnarrow.core.RunRequest
import dev.deepnarrow.core.Stage
import dev.deepnarrow.harness.ui.RunningState
import java.nio.ByteOrder
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

@RunWith(RobolectricTestRunner::class)
class ProgressListenerTest {
    private val context = RuntimeEnvironment.getApplication()
    private val told = ArrayList<String>()
    private val screen = object : RunScreen {
        override fun status(stage: Stage, done: Int, total: Int) {
            told += "status $done/$total"
        }

        override fun draw(state: RunningState) {
            told += "draw ${state.done}/${state.total}"
        }
    }
    private val listener = ProgressListener(RunRequest(runId = "r"), PhoneReadings(context), ProcessDeaths(context), screen)

    @Test
    fun `signs of life inside a context are told and not drawn`() {
        listOf(0 to 1, 0 to 2, 0 to 2, 0 to 2, 1 to 2, 1 to 2, 1 to 1).forEach { (done, total) -> listener.onProgress(Stage.DECODE, done, total) }
        assertEquals(listOf("draw 0/1", "draw 0/2", "draw 1/2", "draw 1/1"), told.filter { it.startsWith("draw") })
        assertEquals(7, told.count { it.startsWith("status") })
    }

    @Test
    fun `nothing is drawn in the sustained phase once it began`() {
        listOf(0 to 1, 0 to 60, 10 to 60, 20 to 60, 1 to 1).forEach { (done, total) -> listener.onProgress(Stage.SUSTAINED, done, total) }
        listener.onProgress(Stage.FINISH, 0, 1)
        assertEquals(listOf("draw 0/1", "draw 0/1"), told.filter { it.startsWith("draw") })
        assertEquals("draw 0/1", told.last())
    }

    @Test
    fun `ONNX Runtime's buffers lie outside the heap, zeroed and in native order`() {
        val buffer = SharedAllocator.allocate(4096)
        assertTrue(buffer.isDirect)
        assertEquals(4096 to ByteOrder.nativeOrder(), buffer.capacity() to buffer.order())
        assertTrue((0 until 4096).all { buffer.get(it) == 0.toByte() })
    }
}
