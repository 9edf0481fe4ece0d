#if os(Linux)
    import Foundation
    import HarnessCore
    import LinuxDevice
    import OnnxEngine

    /// The exported tiny pair, in the folder that DEEPNARROW_ARTIFACTS names.
    enum TinyArtifacts {
        static let onnx = folder("deep-8x64/onnx-int4")

        /// Folder of the pair, if it has this artifact.
        private static func folder(_ artifact: String) -> URL? {
            guard let root = ProcessInfo.processInfo.environment["DEEPNARROW_ARTIFACTS"] else { return nil }
            let pair = URL(fileURLWithPath: root).appendingPathComponent("tiny")
            let manifest = pair.appendingPathComponent(artifact + "/manifest.json")
            return FileManager.default.fileExists(atPath: manifest.path) ? pair : nil
        }

        private final class Silent: RunListener {
            func onProgress(stage: Stage, done: Int, total: Int) {}
        }

        static func run(_ folder: URL, _ engine: any LlmEngine, change: (inout RunProtocol) -> Void = { _ in }) throws -> RunRecord {
            var request = RunRequest(runId: "tiny")
            request.protocol.numThreads = 2
            request.protocol.promptLengths = [16, 200]
            request.protocol.prefillRepetitions = 2
            request.protocol.contexts = [0, 32]
            request.protocol.decodeSteps = 8
            request.protocol.probe.bufferBytes = 1 << 20
            request.protocol.probe.passes = 3
            change(&request.protocol)
            let clock = LinuxClock()
            let info = HarnessInfo(name: "deepnarrow-swift", version: harnessVersion, build: nil, debug: true)
            let runner = ProtocolRunner(
                engines: [engine], device: LinuxProbe(info, clock: clock), bandwidth: BandwidthProbe(graph: ReduceSumFactory()), clock: clock,
                listener: Silent())
            let out = FileManager.default.temporaryDirectory.appendingPathComponent("deepnarrow-\(UUID().uuidString)")
            return try runner.run(artifact: folder, request: request, store: RunStore(out: out, runId: request.runId))
        }
    }
#endif
