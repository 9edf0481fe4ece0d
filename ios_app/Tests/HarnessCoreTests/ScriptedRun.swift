import Foundation
import HotLoops

@testable import HarnessCore

/// A run of a scripted engine on an artifact folder that is made for it: the golden manifest and reference with small model files.
final class ScriptedRun {
    let clock = ScriptedClock()
    let device: ScriptedDevice
    let engine = ScriptedEngine()
    let progress = KeptProgress()
    let folder: URL
    let out: URL
    var request: RunRequest
    private(set) var manifest: Manifest

    init() throws {
        device = ScriptedDevice(clock)
        folder = try Repository.temporaryFolder()
        out = try Repository.temporaryFolder()
        request = RunRequest(runId: "run-1")
        request.protocol.numThreads = 1
        request.protocol.promptLengths = [3, 300]
        request.protocol.prefillRepetitions = 2
        request.protocol.contexts = [0, 5]
        request.protocol.decodeSteps = 4
        request.protocol.warmUpSteps = 2
        request.protocol.probe.bufferBytes = 1 << 20
        request.protocol.probe.passes = 3
        manifest = try Wire.readManifest(Repository.golden("manifest.json"))
        try writeArtifact()
    }

    /// Writes files and a manifest that lists them rightly, after `change`.
    func writeArtifact(reference: Data? = nil, _ change: (inout Manifest) -> Void = { _ in }) throws {
        manifest = try Wire.readManifest(Repository.golden("manifest.json"))
        let text = try reference ?? Data(contentsOf: Repository.golden("reference.json"))
        for index in manifest.files.indices {
            let entry = manifest.files[index]
            let data = entry.kind == .reference ? text : Data("model file \(entry.path)".utf8)
            try data.write(to: folder.appendingPathComponent(entry.path))
            manifest.files[index].bytes = data.count
            manifest.files[index].sha256 = sha256Hex(Array(data))
        }
        change(&manifest)
        manifest.contentId = manifest.computedContentId
        try Wire.encode(manifest).write(to: folder.appendingPathComponent("manifest.json"))
    }

    func run() throws -> RunRecord {
        let runner = ProtocolRunner(
            engines: [engine], device: device, bandwidth: BandwidthProbe(graph: nil), clock: clock, listener: progress)
        return try runner.run(artifact: folder, request: request, store: RunStore(out: out, runId: request.runId))
    }

    func stored() throws -> RunRecord { try Wire.readRecord(runFolder.appendingPathComponent("record.json")) }

    var runFolder: URL { out.appendingPathComponent(request.runId) }

    var isDone: Bool { FileManager.default.fileExists(atPath: runFolder.appendingPathComponent("done.json").path) }
}
