package dev.deepnarrow.core

import java.io.File

/**
 * The run: stages in their order, each guarded, each leaving its part of the record.
 *
 * @property engines runtimes at hand, one for each target.
 */
class RunProtocol(
    private val engines: List<LlmEngine>,
    private val device: DeviceProbe,
    private val bandwidth: MemoryBandwidthProbe,
    private val clock: Clock,
    private val listener: RunListener,
) {
    /**
     * Runs [artifactFolder] as [request] says, in the folder of [store]; the record is also on the disk with its `done.json`.
     * Throws IOException if the record itself cannot be written.
     */
    fun run(artifactFolder: File, request: RunRequest, store: RunStore): RunRecord {
        val journal = Journal(store, request, device, clock, listener)
        try {
            val checked = journal.stage(Stage.ENVIRONMENT, FailureKind.INTERNAL) { prepare(journal, artifactFolder, request) }
            val before = Clocks.read(clock, device)
            journal.stage(Stage.BANDWIDTH, FailureKind.INTERNAL) { probe(journal, request.protocol) }
            journal.stage(Stage.LOAD, FailureKind.LOAD) { load(journal, checked) }.use { runtime ->
                Measurement(journal, device, clock, checked, runtime).run()
            }
            journal.stage(Stage.FINISH, FailureKind.INTERNAL) { finish(journal, checked, before) }
            return journal.end(Completed)
        } catch (_: RunEnded) {
            return journal.record
        }
    }

    private fun prepare(journal: Journal, folder: File, request: RunRequest): CheckedArtifact {
        val artifact = Artifact.open(folder)
        journal.note { copy(artifact = artifact.facts()) }
        val checked = CheckedArtifact.of(artifact, request, engines, Cores(device.usableCores(), journal.record.device))
        StartWait(request.startLimits, device, clock, journal).await()
        return checked
    }

    private fun probe(journal: Journal, protocol: Protocol) {
        val measured = bandwidth.measure(protocol.numThreads, protocol.probe)
        journal.note { copy(bandwidth = measured) }
        journal.peakIsTheModels = device.resetPeakMemory()
    }

    private fun load(journal: Journal, checked: CheckedArtifact): LlmRuntime {
        checked.engine.prepare()
        val start = clock.monotonicNs()
        val runtime = checked.engine.load(checked.artifact, checked.loadOptions())
        val loaded = clock.monotonicNs()
        callOnce(runtime)
        val called = clock.monotonicNs()
        journal.note { copy(load = Load(loaded - start, called - loaded), observed = runtime.observed) }
        return runtime
    }

    /** A model that cannot be called is closed at once. */
    private fun callOnce(runtime: LlmRuntime) {
        var called = false
        try {
            runtime.write(0L, 0)
            runtime.forward()
            called = true
        } finally {
            if (!called) runtime.close()
        }
    }

    private fun finish(journal: Journal, checked: CheckedArtifact, before: Clocks) {
        val after = Clocks.read(clock, device)
        val environment = device.environment()
        journal.note { copy(environmentAfter = environment) }
        journal.note { copy(concerns = Concerns(this, checked.reference, before, after).find()) }
    }
}
