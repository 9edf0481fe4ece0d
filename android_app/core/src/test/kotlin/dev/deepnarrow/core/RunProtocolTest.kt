package dev.deepnarrow.core

import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.CsvSource

/** The order of a run, as docs/harness-contract.md has it, call by call. */
class RunProtocolTest {
    @TempDir
    lateinit var folder: Path
    private val run by lazy { ScriptedRun(folder.toFile()) }
    private val text = LongArray(64) { syntheticToken(7, it, ScriptedArtifact.VOCAB) }

    @Test
    fun `stages follow each other as in the contract`() {
        run.protocol { copy(sustainedS = 1) }.run()
        assertEquals(Stage.entries.map { "stage ${it.word}" }, run.events.filter { it.startsWith("stage ") })
        val marks = listOf("environment", "allocate 1048576", "reset peak", "prepare", "load", "close")
        assertEquals(marks, run.events.filter { it in marks }.distinct())
        val measured = Stage.entries.filter { it >= Stage.LOAD }.map { "memory ${it.word}" }
        assertEquals(measured, run.events.filter { it.startsWith("memory") })
        assertTrue(run.events.indexOf("close") < run.events.indexOf("stage finish"))
    }

    @Test
    fun `load calls the model once at position 0`() {
        run.run()
        assertEquals(listOf("write 0@0", "forward"), run.calls(Stage.LOAD))
        assertEquals(setOf(1, 2, 3, 4), run.engine.options!!.callSizes)
        assertEquals(8, run.engine.options!!.positions)
    }

    @Test
    fun `the self-check forces the greedy ids`() {
        run.run()
        val greedy = ScriptedArtifact.greedy(3)
        val expected = forwards("write 5 6 7 8@0", "write 9@4", "write ${greedy[0]}@5", "write ${greedy[1]}@6")
        assertEquals(expected, run.calls(Stage.SELF_CHECK))
    }

    @Test
    fun `prompts go in chunks, once to warm up and then as often as asked`() {
        run.run()
        val short = forwards(prompt(0, 3))
        val long = forwards(prompt(0, 4), prompt(4, 6))
        assertEquals(short + long, run.calls(Stage.WARM_UP))
        assertEquals(short + short + long + long, run.calls(Stage.PREFILL))
    }

    @Test
    fun `decode stands at the context to warm up, then steps greedily`() {
        run.run()
        val first = forwards("write ${text[0]}@0", "write ${text[0]}@0") + greedySteps(0)
        val second = forwards(prompt(0, 4), prompt(4, 5), "write ${text[5]}@5", "write ${text[5]}@5") + greedySteps(5)
        assertEquals(first + second, run.calls(Stage.DECODE))
    }

    @Test
    fun `times are those of the clock around each call`() {
        val record = run.run()
        assertEquals(listOf(DecodeSamples(0, List(3) { 1_000_000L }, List(3) { 1_001_000L }), DecodeSamples(5, List(3) { 1_000_000L }, List(3) { 1_001_000L })), record.decode)
        assertEquals(listOf(PrefillSamples(3, List(2) { 1_001_000L }), PrefillSamples(6, List(2) { 2_002_000L })), record.prefill)
        assertEquals(Load(0, 1_001_000L), record.load)
    }

    @Test
    fun `a healthy run is complete, valid and of the schema`() {
        val record = run.run()
        assertEquals(Completed, record.outcome)
        assertEquals(emptyList<Concern>(), record.concerns)
        assertTrue(record.valid)
        assertEquals(SelfCheck(3, 3, 3, 0, 0, null), record.selfCheck)
        assertEquals(record, Wire.readRecord(run.store.recordFile))
        assertEquals(Done(runId = "run-1", recordSha256 = sha256(run.store.recordFile)), Wire.readDone(run.store.folder.resolve("done.json")))
        assertEquals(emptyList<String>(), Repository.schemaErrors("run-record-1", run.store.recordFile))
        assertEquals(setOf("record.json", "done.json"), run.store.folder.list()!!.toSet())
    }

    @Test
    fun `when a stage begins the record on the disk says so`() {
        val seen = ArrayList<Outcome>()
        run.onStage = {
            seen += Wire.readRecord(run.store.recordFile).outcome
            assertFalse(run.store.folder.resolve("done.json").exists())
        }
        run.protocol { copy(sustainedS = 1) }.run()
        assertEquals(Stage.entries.map { Running(it) }, seen)
    }

    @Test
    fun `a wrong decisive token ends the run before anything is timed`() {
        val good = ScriptedArtifact.text(3)
        val wrong = ScriptedRun(folder.toFile(), good.copy(greedy = listOf(good.greedy[0], good.greedy[1] + 1, good.greedy[2])))
        val record = wrong.run()
        assertEquals(Mismatch(0, 1, good.greedy[1] + 1, good.greedy[1]), record.selfCheck!!.firstMismatch)
        val message = "text 0, step 1: token ${good.greedy[1]} instead of ${good.greedy[1] + 1}"
        assertEquals(Failed(Stage.SELF_CHECK, FailureKind.PARITY, message), record.outcome)
        assertEquals(Stage.SELF_CHECK, wrong.stage)
        assertEquals(emptyList<Any>(), record.prefill + record.decode)
        assertEquals(listOf("write ${good.greedy[0]}@5", "forward", "close"), wrong.events.takeLast(3))
    }

    @Test
    fun `ambiguous steps do not fail, and without decisive ones the run is marked`() {
        val text = ScriptedArtifact.text(3, decisive = false)
        val record = ScriptedRun(folder.toFile(), text.copy(greedy = text.greedy.dropLast(1) + 0)).run()
        assertEquals(SelfCheck(3, 0, 0, 3, 2, null), record.selfCheck)
        assertEquals(Completed, record.outcome)
        assertEquals(listOf(ConcernCode.NOT_CHECKED to Severity.WARNING), record.concerns.map { it.code to it.severity })
    }

    @Test
    fun `a sample of logits is checked after the texts and stands in for decisive steps`() {
        val text = ScriptedArtifact.text(3, decisive = false)
        val run = ScriptedRun(folder.toFile(), text, ScriptedArtifact.sample(0.5))
        assertEquals(Completed to emptyList<Concern>(), run.run().run { outcome to concerns })
        assertEquals(listOf("write 5 6 7 8@0", "forward", "write 9@4", "forward", "write ${text.greedy[0]}@5", "forward"), run.calls(Stage.SELF_CHECK).takeLast(6))
    }

    /** Each logit is off by [offset], and so is their root mean square. */
    @ParameterizedTest
    @CsvSource("0.5, ", "0.51, 1.02", "-1.25, 2.50")
    fun `sampled logits may differ by the tolerance and no more`(offset: Double, times: String?) {
        val exact = ScriptedArtifact.sample(0.5)
        val record = ScriptedRun(folder.toFile(), sample = exact.copy(rows = exact.rows.map { row -> row.map { it + offset } })).run()
        assertEquals(times?.let(::sampleFailure) ?: Completed, record.outcome)
        if (times != null) assertEquals(emptyList<Any>(), record.prefill + record.decode)
    }

    @Test
    fun `sampled logits that are no numbers are refused`() {
        val run = ScriptedRun(folder.toFile(), sample = ScriptedArtifact.sample(0.5))
        run.runtime.last = Float.NaN
        assertEquals(sampleFailure("NaN"), run.run().outcome)
    }

    private fun sampleFailure(times: String) =
        Failed(Stage.SELF_CHECK, FailureKind.PARITY, "the sampled logits are $times times further off than a right model's")

    @Test
    fun `the sustained phase steps at the last context for its time and reads the heat every ten seconds`() {
        run.runtime.forwardNs = 100_000_000L
        val record = run.protocol { copy(sustainedS = 25) }.run()
        val samples = record.sustained!!
        assertEquals(5, samples.context)
        assertEquals(listOf(0L, 10L, 20L), samples.thermal.map { it.atNs / 1_000_000_000 })
        assertEquals(samples.startNs.size, samples.forwardNs.size)
        assertEquals(250, samples.startNs.size)
        assertTrue(samples.startNs.zipWithNext().all { (a, b) -> b > a })
        assertEquals(setOf(5), run.calls(Stage.SUSTAINED).filter { it != "forward" }.map { it.substringAfter('@').toInt() }.toSet())
    }

    @Test
    fun `slow steps give a sign of life between each other`() {
        val beats = ArrayList<String>()
        run.runtime.forwardNs = 4_000_000_000L
        run.onProgress = { stage, _, _ -> if (stage == Stage.DECODE) beats += run.events.last() }
        run.protocol { copy(contexts = listOf(0), decodeSteps = 7, warmUpSteps = 0) }.run()
        assertEquals(listOf("stage decode", "stage decode") + List(2) { "forward" } + "memory decode", beats)
    }

    @Test
    fun `without a sustained phase nothing is recorded of one`() = assertNull(run.run().sustained)

    private fun prompt(from: Int, until: Int) = "write ${text.slice(from until until).joinToString(" ")}@$from"

    private fun forwards(vararg writes: String): List<String> = writes.flatMap { listOf(it, "forward") }

    private fun greedySteps(context: Int): List<String> {
        val first = text[context]
        val second = ScriptedRuntime.next(first, context, ScriptedArtifact.VOCAB)
        val third = ScriptedRuntime.next(second.toLong(), context + 1, ScriptedArtifact.VOCAB)
        return forwards("write $first@$context", "write $second@${context + 1}", "write $third@${context + 2}")
    }
}
