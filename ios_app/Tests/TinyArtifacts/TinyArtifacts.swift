#if os(Linux)
    import Foundation
    import HarnessCore
    import HotLoops
    import LinuxDevice

    /// The exported tiny pair, in the folder that DEEPNARROW_ARTIFACTS names.
    public enum TinyArtifacts {
        public static let shapes = ["deep-8x64", "wide-2x128"]
        public static let folder = pair()

        private static func pair() -> URL? {
            guard let root = ProcessInfo.processInfo.environment["DEEPNARROW_ARTIFACTS"] else { return nil }
            let pair = URL(fileURLWithPath: root).appendingPathComponent("tiny")
            return FileManager.default.fileExists(atPath: pair.path) ? pair : nil
        }

        private final class Silent: RunListener {
            func onProgress(stage: Stage, done: Int, total: Int) {}
        }

        /// A copy of an artifact whose logits are said to be `times` their tolerance higher than they are; its hashes are right.
        public static func withWrongLogits(_ artifact: String, times: Double) throws -> URL {
            let copy = FileManager.default.temporaryDirectory.appendingPathComponent("deepnarrow-\(UUID().uuidString)")
            try FileManager.default.copyItem(at: folder!.appendingPathComponent(artifact), to: copy)
            var manifest = try Wire.readManifest(copy.appendingPathComponent("manifest.json"))
            let index = manifest.files.firstIndex { $0.kind == .reference }!
            let file = copy.appendingPathComponent(manifest.files[index].path)
            guard case .text(var reference) = try Wire.readReference(file), var sample = reference.logitSample else {
                throw UserError("\(file.path): no logit_sample; export the pair again")
            }
            sample.rows = sample.rows.map { row in row.map { $0 + times * sample.tolerance } }
            reference.logitSample = sample
            let data = try Wire.encode(Reference.text(reference))
            try data.write(to: file)
            manifest.files[index].bytes = data.count
            manifest.files[index].sha256 = sha256Hex(Array(data))
            try Wire.encode(manifest).write(to: copy.appendingPathComponent("manifest.json"))
            return copy
        }

        /// A short run of an artifact of the pair, such as `deep-8x64/onnx-int4`.
        public static func run(
            _ artifact: String, _ engine: any LlmEngine, graph: (any GraphReaderFactory)? = nil, change: (inout RunProtocol) -> Void = { _ in }
        ) throws -> RunRecord {
            try run(folder!.appendingPathComponent(artifact), engine, graph: graph, change: change)
        }

        /// A short run of the artifact in `folder`.
        public static func run(
            _ folder: URL, _ engine: any LlmEngine, graph: (any GraphReaderFactory)? = nil, change: (inout RunProtocol) -> Void = { _ in }
        ) throws -> RunRecord {
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
                engines: [engine], device: LinuxProbe(info, clock: clock), bandwidth: BandwidthProbe(graph: graph), clock: clock,
                listener: Silent())
            let out = FileManager.default.temporaryDirectory.appendingPathComponent("deepnarrow-\(UUID().uuidString)")
            return try runner.run(artifact: folder, request: request, store: RunStore(out: out, runId: request.runId))
        }
    }
#endif
