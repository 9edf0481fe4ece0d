import Foundation
import Testing

@testable import HarnessCore

/// Folders that are not what their manifest says.
@Suite struct ArtifactTests {
    @Test func aGoodFolder() throws {
        let run = try ScriptedRun()
        let artifact = try Artifact(folder: run.folder)
        #expect(artifact.manifest == run.manifest)
        #expect(artifact.facts.contentId == run.manifest.contentId)
    }

    @Test func noFolder() { expect(URL(fileURLWithPath: "/nowhere"), "/nowhere: no such folder") }

    @Test func aChangedFile() throws {
        let run = try ScriptedRun()
        let file = run.folder.appendingPathComponent("model.onnx")
        var data = try Data(contentsOf: file)
        data[0] ^= 1
        try data.write(to: file)
        expect(run.folder, "model.onnx has changed: its hash is not the manifest's")
        try Data().write(to: file)
        expect(run.folder, "model.onnx has 0 bytes, the manifest says")
        try FileManager.default.removeItem(at: file)
        expect(run.folder, "model.onnx is in the manifest but not in the folder")
    }

    @Test func anExtraFile() throws {
        let run = try ScriptedRun()
        try Data("x".utf8).write(to: run.folder.appendingPathComponent("extra"))
        expect(run.folder, "extra is in the folder but not in the manifest")
    }

    @Test func filesOutsideTheFolder() throws {
        let run = try ScriptedRun()
        for path in ["../evil", "/etc/passwd", ""] {
            try run.writeArtifact { $0.files[0].path = path }
            expect(run.folder, "manifest: file '\(path)' lies outside the artifact's folder")
        }
        try run.writeArtifact { $0.files[0].path = "link" }
        try FileManager.default.createSymbolicLink(atPath: run.folder.path + "/link", withDestinationPath: "/etc/passwd")
        expect(run.folder, "manifest: file 'link' lies outside the artifact's folder")
    }

    @Test func badManifests() throws {
        let run = try ScriptedRun()
        try run.writeArtifact { $0.options.prefillChunk = 0 }
        expect(run.folder, "options.prefill_chunk must be 1 to max_context 1024, got 0")
        try run.writeArtifact { $0.options = ExportOptions(maxContext: 0, prefillChunk: 1, coremlAttention: "fused") }
        expect(run.folder, "options.max_context must be at least 1, got 0")
        try run.writeArtifact { $0.schema = "deepnarrow/manifest/2" }
        expect(run.folder, "'deepnarrow/manifest/2' is not known here; this version reads 'deepnarrow/manifest/1'")
        try run.writeArtifact { manifest in manifest.files.removeAll { $0.kind == .reference } }
        expect(run.folder, "lists no reference.json")
    }

    /// The id is that of the listed files, whatever else the manifest says.
    @Test func contentId() throws {
        var manifest = try Wire.readManifest(Repository.golden("manifest.json"))
        #expect(manifest.computedContentId == manifest.contentId)
        manifest.files.reverse()
        #expect(manifest.computedContentId == manifest.contentId)
        manifest.contentId = "0"
        let file = try Repository.temporaryFolder().appendingPathComponent("manifest.json")
        try Wire.encode(manifest).write(to: file)
        #expect(throws: UserError("\(file.path): content_id 0 is not the one of the files that are listed")) { try Wire.readManifest(file) }
    }

    @Test func cachesOfAbsurdSizeAreRefused() throws {
        let run = try ScriptedRun()
        try run.writeArtifact {
            guard case .transformer(var shape) = $0.shape else { return }
            shape.headDim = 1 << 40
            $0.shape = .transformer(shape)
        }
        guard case .failed(.environment, .artifact, let message) = try run.run().outcome else {
            Issue.record("not refused")
            return
        }
        #expect(message.hasPrefix("max_context 1024: a cache of one layer would have"))
    }

    @Test func tokensOutsideTheVocabulary() throws {
        let run = try ScriptedRun()
        let text = GreedyText(prompt: [384], greedy: [], margins: [], decisive: [])
        try run.writeArtifact(reference: Wire.encode(Reference.text(TextReference(decisiveMargin: 0, texts: [text]))))
        let expected = Outcome.failed(stage: .environment, failure: .artifact, message: "reference.json: token 384; vocab_size is 384")
        #expect(try run.run().outcome == expected)
    }

    private func expect(_ folder: URL, _ part: String, sourceLocation: SourceLocation = #_sourceLocation) {
        do {
            _ = try Artifact(folder: folder)
            Issue.record("the folder was taken", sourceLocation: sourceLocation)
        } catch {
            #expect("\(error)".contains(part), sourceLocation: sourceLocation)
        }
    }
}
