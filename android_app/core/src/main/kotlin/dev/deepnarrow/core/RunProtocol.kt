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
    fun run(artifactFolder: File, request: RunRequest, store: RunStore): RunRecord = TODO("$engines $device $bandwidth $clock $listener $artifactFolder $request $store")
}
