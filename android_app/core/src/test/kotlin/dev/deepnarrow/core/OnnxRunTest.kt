package dev.deepnarrow.core

import dev.deepnarrow.core.desktop.DesktopClock
import dev.deepnarrow.core.desktop.DesktopProbe
import dev.deepnarrow.core.onnx.DirectAllocator
import dev.deepnarrow.core.onnx.OnnxEngine
import dev.deepnarrow.core.onnx.OnnxGraphReaderFactory
import java.io.File
import java.nio.ByteBuffer
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource

/** A run of this machine's ONNX Runtime, in this process. */
internal object RealRun {
    val small = Protocol(
        numThreads = 1, promptLengths = listOf(16, 150), prefillRepetitions = 2, contexts = listOf(0, 130), decodeSteps = 8, warmUpSteps = 2,
        probe = ProbeProtocol(1L shl 20, 3),
    )

    fun run(artifact: File, out: File, request: RunRequest = RunRequest(runId = "real", protocol = small)): RunRecord {
        val probe = MemoryBandwidthProbe(::HeapMemory, OnnxGraphReaderFactory)
        val protocol = RunProtocol(listOf(OnnxEngine()), DesktopProbe(null, "test", null), probe, DesktopClock, RunListener.None)
        return protocol.run(artifact, request, RunStore.create(out, request.runId))
    }

    fun reference(artifact: File): TextReference = Wire.readReference(artifact.resolve("reference.json")) as TextReference

    fun load(artifact: File, allocator: DirectAllocator = DirectAllocator.DEFAULT): LlmRuntime = OnnxEngine(allocator).run {
        prepare()
        load(Artifact.open(artifact), LoadOptions(1, Backend.DEFAULT, LoadMode.DEFAULT, 256, setOf(1, 8, 16)))
    }
}

/** Artifacts of the Python exporter on the real runtime. */
class OnnxRunTest {
    @TempDir
    lateinit var folder: Path

    @ParameterizedTest
    @ValueSource(strings = [TinyArtifacts.DEEP, TinyArtifacts.WIDE])
    fun `both sides of the pair are measured`(shape: String) {
        val artifact = TinyArtifacts.folder(shape)
        val record = RealRun.run(artifact, folder.toFile())
        assertEquals(Completed, record.outcome)
        assertSelfCheck(record.selfCheck!!, RealRun.reference(artifact))
        assertEquals(listOf(16 to 2, 150 to 2), record.prefill.map { it.promptLength to it.prefillNs.size })
        assertEquals(listOf(0 to 8, 130 to 8), record.decode.map { it.context to it.forwardNs.size })
        for (samples in record.decode) assertTrue(samples.stepNs.zip(samples.forwardNs).all { (step, forward) -> step >= forward && forward > 0 })
        assertEquals(1, record.observed!!.numThreads)
        assertEquals(listOf(ProbeMethod.ARRAY_SUM, ProbeMethod.RUNTIME_GRAPH), record.bandwidth!!.passes.map { it.method })
        assertEquals(sha256(artifact.resolve("manifest.json")), record.artifact!!.manifestSha256)
        assertEquals(emptyList<String>(), Repository.schemaErrors("run-record-1", folder.resolve("real/record.json").toFile()))
        assertEquals(emptyList<String>(), Repository.schemaErrors("done-1", folder.resolve("real/done.json").toFile()))
    }

    @Test
    fun `the runtime uses the threads that were asked for`() {
        val request = RunRequest(runId = "two", protocol = RealRun.small.copy(numThreads = 2))
        val record = RealRun.run(TinyArtifacts.folder(TinyArtifacts.WIDE), folder.toFile(), request)
        assertEquals(2, record.observed!!.numThreads)
        assertTrue(record.concerns.none { it.code == ConcernCode.THREADS_DIFFER })
    }

    /** One token at a time, while the run's self-check goes in chunks. */
    @Test
    fun `greedy ids are the reference's where they are decisive`() {
        val artifact = TinyArtifacts.folder(TinyArtifacts.DEEP)
        RealRun.load(artifact).use { runtime ->
            for (text in RealRun.reference(artifact).texts) {
                val tokens = text.prompt + text.greedy
                val chosen = tokens.indices.map { runtime.write(tokens[it].toLong(), it); argmax(runtime.forward()) }.drop(text.prompt.size - 1)
                val wrong = text.greedy.indices.filter { text.decisive[it] && chosen[it] != text.greedy[it] }
                assertEquals(emptyList<Int>(), wrong)
            }
        }
    }

    @Test
    fun `caches are written in place, at the position of the token alone`() {
        val buffers = ArrayList<ByteBuffer>()
        val allocator = DirectAllocator { bytes -> DirectAllocator.DEFAULT.allocate(bytes).also { buffers += it } }
        val artifact = TinyArtifacts.folder(TinyArtifacts.WIDE)
        val manifest = Wire.readManifest(artifact.resolve("manifest.json"))
        val shape = manifest.shape as TransformerShape
        RealRun.load(artifact, allocator).use { runtime ->
            val caches = buffers.filter { it.capacity() == shape.numKvHeads * manifest.options.maxContext * shape.headDim * 4 }
            assertEquals(2 * shape.numPasses, caches.size)
            runtime.write(longArrayOf(1, 2, 3, 4, 5, 6, 7, 8), 0, 8, 0)
            runtime.forward()
            for (cache in caches) assertEquals((0 until 8).toSet(), written(cache, shape))
            runtime.write(9, 8)
            runtime.forward()
            for (cache in caches) assertEquals((0..8).toSet(), written(cache, shape))
        }
    }

    @Test
    fun `an earlier position begins a new text`() {
        RealRun.load(TinyArtifacts.folder(TinyArtifacts.WIDE)).use { runtime ->
            val first = logits(runtime, longArrayOf(11, 12, 13, 14, 15, 16, 17, 18))
            logits(runtime, longArrayOf(300, 200, 100, 50, 40, 30, 20, 10))
            assertEquals(first, logits(runtime, longArrayOf(11, 12, 13, 14, 15, 16, 17, 18)))
        }
    }

    private fun logits(runtime: LlmRuntime, tokens: LongArray): List<Float> {
        runtime.write(tokens, 0, tokens.size, 0)
        return runtime.forward().let { logits -> List(logits.limit()) { logits.get(it) } }
    }

    /** Positions of a [1, kv heads, positions, head size] cache that hold something. */
    private fun written(cache: ByteBuffer, shape: TransformerShape): Set<Int> {
        val floats = cache.asFloatBuffer()
        val perHead = floats.limit() / shape.numKvHeads
        return (0 until floats.limit()).filter { floats.get(it) != 0f }.map { it % perHead / shape.headDim }.toSet()
    }

    private fun assertSelfCheck(check: SelfCheck, reference: TextReference) {
        val decisive = reference.texts.sumOf { text -> text.decisive.count { it } }
        val steps = reference.texts.sumOf { it.greedy.size }
        assertEquals(steps, check.steps)
        assertEquals(decisive to decisive, check.decisiveSteps to check.decisiveMatches)
        assertEquals(steps - decisive, check.ambiguousSteps)
        assertTrue(decisive > 0)
    }
}
