import COnnx
import Foundation
import HarnessCore

/// ONNX Runtime on its CPU provider, through its C API, which offers no choice of how files are read.
public final class OnnxEngine: LlmEngine {
    static let modelFile = "model.onnx"
    private static let dataFile = "model.onnx.data"

    public let target = TargetName.onnx
    public let backends: [Backend] = [.default, .cpu]
    public let loadModes: [LoadMode] = [.default]

    public init() {}

    public func prepare(_ artifact: Artifact, options: LoadOptions) throws { _ = try Ort.shared() }

    public func load(_ artifact: Artifact, options: LoadOptions) throws -> any LlmRuntime {
        guard case .transformer(let shape) = artifact.manifest.shape else {
            throw RuntimeFailure("\(artifact.manifest.shapeName) is not a decoder")
        }
        let path = artifact.folder.appendingPathComponent(Self.modelFile).path
        let graph = try OrtGraph(numThreads: options.numThreads) { ort, sessionOptions, session in
            ort.api.CreateSession(ort.environment, path, sessionOptions, session)
        }
        // A mapping that is there proves mmap; one that is not may only mean that the weights were repacked and the file let go.
        let mapped = isMapped(artifact.folder.appendingPathComponent(Self.dataFile)) == true
        return try OnnxRuntime(
            graph, shape: shape, maxContext: artifact.manifest.options.maxContext, options: options, loadMode: mapped ? .mmap : nil)
    }
}
