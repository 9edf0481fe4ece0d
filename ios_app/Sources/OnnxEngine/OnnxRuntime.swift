import COnnx
import Foundation
import HarnessCore
import HotLoops

/// A decoder under onnxruntime-genai's names. Every tensor is made at load: the same one is past input and present output of a cache,
/// so that GroupQueryAttention writes in place; there is one token tensor for each call size, and one mask for each length, all views
/// of the same ones. A step binds the next mask, which only tells the graph how long the text is.
final class OnnxRuntime: LlmRuntime {
    let observed: ObservedRuntime

    private let graph: OrtGraph
    private let logits: UnsafeBufferPointer<Float>
    /// Tensor of i + 1 ones at place i.
    private var masks: [OpaquePointer] = []
    private var tokenBuffers: [UnsafeMutablePointer<Int64>?]
    private var tokenTensors: [OpaquePointer?]
    private var boundCount = 0
    private let tokensName = strdup("input_ids")!
    private let maskName = strdup("attention_mask")!

    init(_ graph: OrtGraph, shape: TransformerShape, maxContext: Int, options: LoadOptions, loadMode: LoadMode?) throws {
        self.graph = graph
        let vocab = shape.vocabSize
        let output = try graph.buffer(bytes: vocab * 4)
        logits = UnsafeBufferPointer(start: output.assumingMemoryBound(to: Float.self), count: vocab)
        tokenBuffers = Array(repeating: nil, count: options.callSizes.max()! + 1)
        tokenTensors = Array(repeating: nil, count: tokenBuffers.count)
        observed = ObservedRuntime(
            name: "onnxruntime", version: Ort.version, numThreads: graph.startedThreads + 1, loadMode: loadMode,
            backends: ["CPUExecutionProvider"])
        try graph.bindOutput("logits", graph.tensor(output, [1, 1, vocab], ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT))
        try bindCaches(shape, maxContext)
        for size in options.callSizes { try makeTokens(size) }
        try makeMasks(options.positions)
    }

    deinit {
        free(tokensName)
        free(maskName)
    }

    func write(token: Int64, position: Int) throws {
        tokenBuffers[1]![0] = token
        try select(count: 1, position: position)
    }

    func write(tokens: [Int64], from: Int, count: Int, position: Int) throws {
        guard count < tokenBuffers.count, let buffer = tokenBuffers[count] else {
            throw RuntimeFailure("no input tensor of \(count) tokens was made at load")
        }
        for i in 0..<count { buffer[i] = tokens[from + i] }
        try select(count: count, position: position)
    }

    func forward() throws { try graph.run() }

    func argmax() -> Int { HotLoops.argmax(logits) }

    func logits(of ids: [Int]) -> [Double] { ids.map { Double(logits[$0]) } }

    private func select(count: Int, position: Int) throws {
        if count != boundCount {
            try graph.bindInput(tokensName, tokenTensors[count]!)
            boundCount = count
        }
        try graph.bindInput(maskName, masks[position + count - 1])
    }

    private func bindCaches(_ shape: TransformerShape, _ maxContext: Int) throws {
        let size = [1, shape.numKvHeads, maxContext, shape.headDim]
        for cache in 0..<shape.numPasses {
            for part in ["key", "value"] {
                let data = try graph.buffer(bytes: size.reduce(4, *))
                let tensor = try graph.tensor(data, size, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
                try graph.bindInput("past_key_values.\(cache).\(part)", tensor)
                try graph.bindOutput("present.\(cache).\(part)", tensor)
            }
        }
    }

    private func makeTokens(_ size: Int) throws {
        let data = try graph.buffer(bytes: size * 8)
        tokenBuffers[size] = data.assumingMemoryBound(to: Int64.self)
        tokenTensors[size] = try graph.tensor(data, [1, size], ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64)
    }

    private func makeMasks(_ positions: Int) throws {
        let data = try graph.buffer(bytes: positions * 8)
        let ones = data.assumingMemoryBound(to: Int64.self)
        for i in 0..<positions { ones[i] = 1 }
        masks.reserveCapacity(positions)
        for length in 1...positions { masks.append(try graph.tensor(data, [1, length], ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64)) }
    }
}
