import AppleDevice
import CoreMLEngine
import ExecuTorchEngine
import Foundation
import HarnessCore
import HarnessScreens
import OnnxEngine

/// Runs requests on this iPhone with the three engines.
struct DeviceMeasurer: Measurer {
    var numCores: Int { ProcessInfo.processInfo.activeProcessorCount }

    func conditions() -> Conditions {
        let probe = AppleProbe()
        return Conditions(probe.environment(), harness: probe.harness(), kind: probe.device().kind)
    }

    func run(artifact: URL, request: RunRequest, runs: URL, listener: any RunListener) throws -> RunEnd {
        let store = try RunStore(out: runs, runId: request.runId, takingOver: true)
        let probe = AppleProbe()
        let compiled = FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask)[0].appending(path: "compiled")
        let coreML = CoreMLEngine(cache: compiled, osBuild: probe.device().osBuild)
        let engines: [any LlmEngine] = [OnnxEngine(), ExecuTorchEngine(), coreML]
        let runner = ProtocolRunner(
            engines: engines, device: probe, bandwidth: BandwidthProbe(graph: OnnxGraphReaders()), clock: AppleClock(), listener: listener)
        return try RunEnd.of(request.runId, store) {
            let record = try runner.run(artifact: artifact, request: request, store: store)
            try coreML.plan?.write(to: store.folder)
            return record
        }
    }
}
