package dev.deepnarrow.core

import java.io.File
import java.io.IOException

/** The kernel's text files. A value that cannot be read is null: vendors close some of them to apps. */
class ProcFiles(private val root: File = File("/")) {
    fun text(path: String): String? = try {
        root.resolve(path).readText()
    } catch (_: IOException) {
        null
    }

    private fun number(path: String): Long? = text(path)?.trim()?.toLongOrNull()

    /** Ids of the processors the kernel knows, also of those that are switched off now. */
    fun cpuIds(): List<Int> = ranges(text("sys/devices/system/cpu/possible") ?: "")

    fun maxKhz(cpu: Int): Int? = number("sys/devices/system/cpu/cpu$cpu/cpufreq/cpuinfo_max_freq")?.toInt()

    fun currentKhz(cpu: Int): Int? = number("sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_cur_freq")?.toInt()

    /** What the kernel lets the core reach now; heat lowers it. */
    fun capKhz(cpu: Int): Int? = number("sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_max_freq")?.toInt()

    /** Instruction sets that every Arm core has, such as `asimd` and `atomics`; null where `/proc/cpuinfo` lists none, as on x86. */
    fun armFeatures(): Set<String>? = text("proc/cpuinfo")?.lineSequence()?.filter { it.substringBefore(':').trim() == "Features" }
        ?.map { it.substringAfter(':').trim().split(' ').toSet() }?.reduceOrNull { all, core -> all intersect core }

    /** Runnable processes over the last minute; apps may not read it on most phones. */
    fun loadAverage(): Double? = text("proc/loadavg")?.substringBefore(' ')?.toDoubleOrNull()

    /** A line of `/proc/self/status` such as `VmHWM`, in bytes. */
    fun statusBytes(key: String): Long? = kilobytes(text("proc/self/status"), key)

    /** Lets `VmHWM` begin anew at the present size. False where the kernel has no such file or closes it to this process. */
    fun startPeakAnew(): Boolean = try {
        root.resolve("proc/self/clear_refs").writeText("5")
        true
    } catch (_: IOException) {
        false
    }

    /** `MemTotal` and the like of `/proc/meminfo`, in bytes. */
    fun meminfoBytes(key: String): Long? = kilobytes(text("proc/meminfo"), key)

    /** Whether [file] is mapped into this process: what really happened, whatever load mode was asked for. Null = not known. */
    fun isMapped(file: File): Boolean? = text("proc/self/maps")?.lineSequence()?.any { it.endsWith(file.path) }

    private fun kilobytes(text: String?, key: String): Long? =
        text?.lineSequence()?.firstOrNull { it.startsWith("$key:") }
            ?.substringAfter(':')?.trim()?.removeSuffix("kB")?.trim()?.toLongOrNull()?.times(1024)

    private fun ranges(text: String): List<Int> = text.trim().split(',').filter { it.isNotEmpty() }.flatMap { part ->
        val (first, last) = part.substringBefore('-').toIntOrNull() to part.substringAfter('-').toIntOrNull()
        if (first == null || last == null) emptyList() else (first..last).toList()
    }
}
