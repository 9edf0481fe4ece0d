import Foundation
import HarnessCore

@testable import HarnessScreens

/// Runs with latencies around a median, for tests of what the screens say.
func run(
    _ arm: Arm?, _ medianMs: Double, id: String = UUID().uuidString, contexts: [Int] = [0, 512], invalid: [String] = [], warnings: [String] = [],
    ending: Ending = .completed, ceilingBytesPerS: Double? = 20e9, device: String = "EXAMPLE, not measured", phone: Bool = false,
    day: String = "2026-11-25", group: RunGroup = exampleGroup
) -> RunSummary {
    RunSummary(
        runId: id, startedUtc: "\(day)T19:40:00Z", arm: arm, shapeName: arm == .wide ? "wide-12x864" : "deep-30x576", group: group, device: device,
        phone: phone, ending: ending, message: ending == .completed ? nil : "thermal status 3, above max_thermal_status 0", invalid: invalid,
        warnings: warnings,
        contexts: ending == .skipped
            ? []
            : contexts.map { context in
                ContextSummary(
                    context: context, forwardNs: latencies(medianMs * (1 + Double(context) / 4096)),
                    bytesPerToken: 80e6 + Double(context) * 20e3)
            },
        ceilingBytesPerS: ceilingBytesPerS)
}

let exampleGroup = RunGroup(subject: "example pair", setup: nil, title: "example pair, coreml int4, 2 threads, cpu-and-gpu")

/// 65 steps: the median is exact, some tokens are slower.
func latencies(_ medianMs: Double) -> [Int] {
    (0..<65).map { Int(medianMs * 1e6 * (0.98 + 0.04 * Double($0) / 64 + ($0 % 31 == 30 ? 0.3 : 0))) }
}

/// `count` runs of each arm, a hundredth of a millisecond apart.
func pair(deep: Double, wide: Double, count: Int = 5) -> PairComparison {
    PairComparison(runs: (0..<count).flatMap { [run(.deep, deep + Double($0) / 100), run(.wide, wide + Double($0) / 100)] })
}

/// A folder that goes with the test.
final class TemporaryFolder {
    let url = FileManager.default.temporaryDirectory.appending(path: "screens-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    var folders: Folders { Folders(documents: url.appending(path: "Documents"), support: url.appending(path: "Support")) }
}

/// Files of `tests/golden`.
func golden(_ name: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../tests/golden/\(name)").standardizedFileURL
}

/// Writes an artifact folder with the golden manifest, changed by `edit`; its content follows from its name.
@discardableResult
func makeArtifact(_ folder: URL, _ name: String, edit: (inout Manifest) -> Void = { _ in }) throws -> Manifest {
    var manifest = try Wire.readManifest(golden("manifest.json"))
    edit(&manifest)
    for index in manifest.files.indices where manifest.files[index].kind == .model {
        manifest.files[index].sha256 = String((name.utf8.map { String(format: "%02x", $0) }.joined() + String(repeating: "0", count: 64)).prefix(64))
    }
    manifest.contentId = manifest.computedContentId
    let place = folder.appending(path: name)
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    try Wire.encode(manifest).write(to: place.appending(path: "manifest.json"))
    return manifest
}

func makePair(_ folder: URL, target: TargetName = .onnx, maxContext: Int = 1024) throws {
    for (name, arm) in [("deep-8x64", Arm.deep), ("wide-2x128", .wide)] {
        try makeArtifact(folder, name) { manifest in
            (manifest.shapeName, manifest.arm, manifest.target) = (name, arm, target)
            manifest.options.maxContext = maxContext
            manifest.options.prefillChunk = min(manifest.options.prefillChunk, maxContext)
        }
    }
}
