#if canImport(CoreML)
    import CoreML
    import Foundation
    import HarnessCore
    import HotLoops

    /// A loaded stateful model, used by one thread. Inputs: `inputIds` int32 [1, T] and `causalMask` float16 [1, 1, T, E], where E counts the
    /// tokens in the cache after the call; the position of the first token is E - T, so a shorter mask goes back in the text.
    final class CoreMLRuntime: LlmRuntime {
        static let hidden = Float16(-30000)

        let observed: ObservedRuntime
        private let model: MLModel
        private let state: MLState
        private let options = MLPredictionOptions()
        private let input = StepInput()
        private let logits: MLMultiArray
        private let ids: [Int: Memory<Int32>]
        /// All zeros: for one token every position is visible, so its mask is a part of this and never written.
        private let visible: Memory<Float16>
        private let mask: Memory<Float16>
        private var last: MLMultiArray

        init(model: MLModel, manifest: Manifest, callSizes: Set<Int>, observed: ObservedRuntime) throws {
            try Self.check(manifest)
            guard case .transformer(let shape) = manifest.shape else { throw RuntimeFailure("\(manifest.shapeName) is no decoder") }
            self.model = model
            self.observed = observed
            state = model.makeState()
            logits = try MLMultiArray(shape: [1, 1, NSNumber(value: shape.vocabSize)], dataType: .float16)
            last = logits
            options.outputBackings = ["logits": logits]
            ids = Dictionary(uniqueKeysWithValues: callSizes.map { ($0, Memory<Int32>(count: $0)) })
            visible = Memory(count: manifest.options.maxContext)
            mask = Memory(count: manifest.options.maxContext * (callSizes.max() ?? 1))
        }

        func write(token: Int64, position: Int) throws {
            guard let memory = ids[1] else { throw RuntimeFailure("no input for single tokens") }
            memory.start[0] = Int32(truncatingIfNeeded: token)
            try bind(memory, count: 1, mask: visible, end: position + 1)
        }

        func write(tokens: [Int64], from: Int, count: Int, position: Int) throws {
            guard let memory = ids[count] else { throw RuntimeFailure("no input for \(count) tokens") }
            for index in 0..<count { memory.start[index] = Int32(truncatingIfNeeded: tokens[from + index]) }
            let end = position + count
            if count == 1 { return try bind(memory, count: 1, mask: visible, end: end) }
            for row in 0..<count {
                let seen = position + row + 1
                (mask.start + row * end).update(repeating: 0, count: seen)
                (mask.start + row * end + seen).update(repeating: Self.hidden, count: end - seen)
            }
            try bind(memory, count: count, mask: mask, end: end)
        }

        func forward() throws {
            last = try failing {
                try pooled {
                    let output = try self.model.prediction(from: self.input, using: self.state, options: self.options)
                    guard let found = output.featureValue(for: "logits")?.multiArrayValue else { throw RuntimeFailure("no output named logits") }
                    return found
                }
            }
        }

        func argmax() -> Int { last.withUnsafeBufferPointer(ofType: Float16.self) { HotLoops.argmax($0) } }

        func logits(of ids: [Int]) -> [Double] {
            last.withUnsafeBufferPointer(ofType: Float16.self) { logits in ids.map { Double(logits[$0]) } }
        }

        private func bind(_ tokens: Memory<Int32>, count: Int, mask: Memory<Float16>, end: Int) throws {
            try failing {
                self.input.ids = MLFeatureValue(multiArray: try tokens.array([1, count], .int32))
                self.input.mask = MLFeatureValue(multiArray: try mask.array([1, 1, count, end], .float16))
            }
        }

        private static func check(_ manifest: Manifest) throws {
            let names = manifest.observed.inputs.map(\.name)
            if Set(names) != [StepInput.idsName, StepInput.maskName] {
                throw RuntimeFailure("inputs \(names.joined(separator: ", ")): this version knows \(StepInput.idsName) and \(StepInput.maskName)")
            }
        }
    }

    /// The inputs of a call.
    private final class StepInput: MLFeatureProvider {
        static let idsName = "inputIds"
        static let maskName = "causalMask"

        var ids: MLFeatureValue?
        var mask: MLFeatureValue?

        var featureNames: Set<String> { [Self.idsName, Self.maskName] }

        func featureValue(for featureName: String) -> MLFeatureValue? {
            featureName == Self.idsName ? ids : featureName == Self.maskName ? mask : nil
        }
    }

    /// Zeroed memory, aligned to a page, that arrays look into for as long as their runtime lives.
    private final class Memory<Element: BitwiseCopyable> {
        let start: UnsafeMutablePointer<Element>
        private let bytes: UnsafeMutableRawBufferPointer

        init(count: Int) {
            bytes = .allocate(byteCount: max(1, count) * MemoryLayout<Element>.stride, alignment: 16384)
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            start = bytes.baseAddress!.assumingMemoryBound(to: Element.self)
        }

        deinit { bytes.deallocate() }

        /// The first elements, row by row; the memory stays this object's.
        func array(_ shape: [Int], _ type: MLMultiArrayDataType) throws -> MLMultiArray {
            var strides = [Int](repeating: 1, count: shape.count)
            for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
            return try MLMultiArray(
                dataPointer: start, shape: shape.map { NSNumber(value: $0) }, dataType: type, strides: strides.map { NSNumber(value: $0) },
                deallocator: nil)
        }
    }

    /// Frees what a call leaves in the thread's pool at once; a run's thread has no loop that would.
    private func pooled<T>(_ action: () throws -> T) rethrows -> T {
        #if canImport(ObjectiveC)
            try autoreleasepool(invoking: action)
        #else
            try action()
        #endif
    }
#endif
