package dev.deepnarrow.harness

import dev.deepnarrow.core.ProcFiles
import dev.deepnarrow.core.LoadMode
import dev.deepnarrow.core.RefusalCode
import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeFalse
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

class FilesTest {
    @TempDir
    lateinit var temporary: Path

    private fun folders() = AllowedFolders(dir("media"), dir("pushed"))

    private fun dir(name: String): File = temporary.resolve(name).toFile().apply { mkdirs() }

    private fun refusal(block: () -> Unit): String = assertThrows(Refused::class.java) { block() }.message!!

    @Test
    fun `paths inside both folders are read`() {
        val file = dir("media/artifacts").resolve("request.json").apply { writeText("{}") }
        assertEquals(file.canonicalFile, folders().readableFile(file.path, 100))
        assertEquals(dir("pushed/a").canonicalFile, folders().readable(dir("pushed/a").path))
    }

    @Test
    fun `dots that lead outside are refused and named`() {
        val folders = folders()
        val message = refusal { folders.readable("${folders.media}/../secret/model.pte") }
        assertTrue(message.contains("/../secret/model.pte: outside the allowed folders: ${folders.media}"), message)
    }

    @Test
    fun `a link that leads outside is refused`() {
        val folders = folders()
        val link = folders.media.toPath().resolve("link")
        Files.createSymbolicLink(link, dir("elsewhere").toPath())
        assertTrue(refusal { folders.readable(link.toString()) }.contains("outside the allowed folders"))
    }

    @Test
    fun `a sibling whose name begins alike is outside`() {
        val folders = folders()
        assertTrue(refusal { folders.readable(dir("media-of-another-app").path) }.contains("outside"))
    }

    @Test
    fun `an artifact is read where its manifest and all its files can be`() {
        val artifact = dir("pushed/a").apply { resolve("manifest.json").writeText("{}") }
        val part = artifact.resolve("parts").apply { mkdirs() }.resolve("model.pte").apply { writeText("x") }
        assertEquals(artifact.canonicalFile, folders().artifact(artifact.path))
        part.setReadable(false)
        assumeFalse(part.canRead(), "root reads every file")
        val refused = assertThrows(Refused::class.java) { folders().artifact(artifact.path) }
        assertEquals(RefusalCode.UNREADABLE_ARTIFACT to "$part: not there, or the app may not read it", refused.code to refused.message)
    }

    @Test
    fun `large files are refused unread`() {
        val folders = folders()
        val file = folders.media.resolve("big.json").apply { writeText("12345") }
        assertEquals("$file: 5 bytes; at most 4 are read", refusal { folders.readableFile(file.path, 4) })
    }

    @Test
    fun `a second run is refused until the first has ended`() {
        val runs = dir("runs")
        RunLock.acquire(runs).use {
            assertEquals("another run is active; one phone measures one thing at a time", refusal { RunLock.acquire(runs) })
        }
        RunLock.acquire(runs).close()
    }

    @Test
    fun `the kernel's files are read with their units`() {
        val root = dir("root")
        fun put(path: String, text: String) = root.resolve(path).apply { parentFile.mkdirs() }.writeText(text)
        put("proc/self/status", "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t1024 kB\n")
        put("proc/self/maps", "7f00-7f01 r--p 00000000 fd:00 1   /data/model.pte\n")
        put("proc/loadavg", "1.25 0.9 0.8 2/345 678\n")
        put("sys/devices/system/cpu/possible", "0-2,5\n")
        put("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3000000\n")
        val proc = ProcFiles(root)
        assertEquals(2L * 1024 * 1024, proc.statusBytes("VmHWM"))
        assertNull(proc.statusBytes("VmSwap"))
        assertEquals(1.25, proc.loadAverage())
        assertEquals(listOf(0, 1, 2, 5), proc.cpuIds())
        assertEquals(3_000_000, proc.maxKhz(0))
        assertNull(proc.maxKhz(1))
        assertEquals(true, proc.isMapped(File("/data/model.pte")))
        assertEquals(false, proc.isMapped(File("/data/other.pte")))
    }

    @Test
    fun `how ExecuTorch came by its file is what the kernel says`() {
        val model = File("/data/model.pte")
        fun observed(maps: String?, status: String): LoadMode? {
            val root = dir("seen").apply { resolve("proc/self").mkdirs() }
            root.resolve("proc/self/maps").apply { if (maps == null) delete() else writeText(maps) }
            root.resolve("proc/self/status").writeText(status)
            return ExecuTorchEngine("test", ProcFiles(root)).observedMode(model)
        }
        val mapped = "7f00-7f01 r--p 00000000 fd:00 1   /data/model.pte\n"
        assertEquals(LoadMode.MMAP, observed(mapped, "VmLck:\t0 kB\n"))
        assertEquals(LoadMode.MLOCK, observed(mapped, "VmLck:\t4096 kB\n"))
        assertEquals(LoadMode.FILE, observed("", "VmLck:\t0 kB\n"))
        assertNull(observed(null, ""))
    }

    @Test
    fun `ExecuTorch is refused where one core lacks the atomics that its library holds`() {
        fun unfit(cpuinfo: String): String? {
            val root = dir("cores").apply { resolve("proc").mkdirs() }
            root.resolve("proc/cpuinfo").writeText(cpuinfo)
            return ExecuTorchEngine("test", ProcFiles(root)).unfit
        }
        val old = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes crc32\nCPU part\t: 0xd03\n"
        val recent = "processor\t: 1\nFeatures\t: fp asimd atomics\nCPU part\t: 0xd0b\n"
        assertTrue(unfit(old)!!.startsWith("ExecuTorch needs Armv8.1 atomics"))
        assertTrue(unfit(recent + old)!!.startsWith("ExecuTorch needs Armv8.1 atomics"))
        assertNull(unfit(recent))
        assertNull(unfit("processor\t: 0\nflags\t\t: fpu sse2 avx2\n"))
        assertNull(ExecuTorchEngine("test", ProcFiles(dir("empty"))).unfit)
    }

    @Test
    fun `a model that does not fit into memory is warned about with its numbers, one that fits is not`() {
        fun artifact(shape: String, bytes: Long) = FoundArtifact(dir("media"), "p", null, shape, "onnx", "int4", 1024, "c", bytes, 40_000_000)
        val pair = FoundPair(artifact("deep", 60_000_000), artifact("wide", 100_000_000))
        assertEquals(
            "memory: wide needs about 408 MB (model 100 MB, cache 40.0 MB, margin 268 MB), but 300 MB are left before Android ends processes: close other apps",
            PhoneStateText.memory(pair, 300_000_000),
        )
        assertNull(PhoneStateText.memory(pair, 409_000_000))
        assertNull(PhoneStateText.memory(pair, null))
        assertTrue(PhoneStateText.memory(pair, -5)!!.contains("but 0 MB are left"))
    }

    @Test
    fun `nothing readable is not zero`() {
        val proc = ProcFiles(dir("empty"))
        assertEquals(emptyList<Int>(), proc.cpuIds())
        assertNull(proc.loadAverage())
        assertNull(proc.isMapped(File("/data/model.pte")))
    }
}
