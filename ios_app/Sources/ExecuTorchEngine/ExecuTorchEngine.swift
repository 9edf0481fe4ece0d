import CExecuTorch
import Foundation
import HarnessCore
import HotLoops

/// ExecuTorch on XNNPACK through a C++ shim. Load mode and threads are always given; the pool of threads belongs to the process, which
/// is one more reason that a run has its own.
public final class ExecuTorchEngine: LlmEngine {
    public let target = TargetName.executorch
    public let backends: [Backend] = [.default, .xnnpack]
    public let loadModes = LoadMode.allCases

    public init() {}

    public func prepare(_ artifact: Artifact, options: LoadOptions) throws { _ = et_num_threads() }

    public func load(_ artifact: Artifact, options: LoadOptions) throws -> any LlmRuntime {
        let files = artifact.manifest.modelFiles
        guard files.count == 1, case .transformer = artifact.manifest.shape else {
            throw RuntimeFailure("an ExecuTorch artifact of a decoder has one model file, this one has \(files.count)")
        }
        let file = artifact.folder.appendingPathComponent(files[0].path)
        var error = et_error()
        guard let program = et_load(file.path, Self.mode(options.loadMode), Int32(options.numThreads), &error) else {
            throw failure(error)
        }
        return ExecuTorchRuntime(program, loadMode: Self.observedMode(file), callSizes: options.callSizes)
    }

    private static func mode(_ mode: LoadMode) -> et_load_mode {
        switch mode {
        case .default, .file: ET_FILE
        case .mmap: ET_MMAP
        case .mlock: ET_MLOCK
        }
    }

    /// What the kernel says, where there is `/proc`: a mapped file is in the process's maps, a locked one counts as locked memory.
    private static func observedMode(_ file: URL) -> LoadMode? {
        guard let mapped = isMapped(file), let status = kernelText("/proc/self/status") else { return nil }
        if !mapped { return .file }
        let locked = status.split(separator: "\n").first { $0.hasPrefix("VmLck:") }
        return locked?.contains(where: { ("1"..."9").contains($0) }) == true ? .mlock : .mmap
    }
}

/// Tokens are written into one buffer for each call size, which the runtime reads in place.
final class ExecuTorchRuntime: LlmRuntime {
    let observed: ObservedRuntime

    private let program: OpaquePointer
    private var buffers: [UnsafeMutablePointer<Int64>?]
    private var count = 1
    private var position = 0

    /// Takes over `program`.
    init(_ program: OpaquePointer, loadMode: LoadMode?, callSizes: Set<Int>) {
        self.program = program
        buffers = Array(repeating: nil, count: callSizes.max()! + 1)
        for size in callSizes { buffers[size] = .allocate(capacity: size) }
        let backends = (0...).lazy.map { et_backend(program, Int32($0)) }.prefix { $0 != nil }.map { String(cString: $0!) }
        observed = ObservedRuntime(
            name: "executorch", version: String(cString: et_version()), numThreads: Int(et_num_threads()), loadMode: loadMode,
            backends: Array(Set(backends)).sorted())
    }

    deinit {
        et_free(program)
        buffers.forEach { $0?.deallocate() }
    }

    func write(token: Int64, position: Int) throws {
        buffers[1]![0] = token
        (count, self.position) = (1, position)
    }

    func write(tokens: [Int64], from: Int, count: Int, position: Int) throws {
        guard count < buffers.count, let buffer = buffers[count] else {
            throw RuntimeFailure("a call of \(count) tokens was not announced at load")
        }
        for i in 0..<count { buffer[i] = tokens[from + i] }
        (self.count, self.position) = (count, position)
    }

    func forward() throws {
        var error = et_error()
        if et_forward(program, buffers[count], Int32(count), Int64(position), &error) == 0 { throw failure(error) }
    }

    func argmax() -> Int { HotLoops.argmax(logits()) }

    func logits(of ids: [Int]) -> [Double] {
        let logits = logits()
        return ids.map { Double(logits[$0]) }
    }

    private func logits() -> UnsafeBufferPointer<Float> {
        var vocab: Int32 = 0
        let start = et_logits(program, &vocab)
        return UnsafeBufferPointer(start: start, count: Int(vocab))
    }
}

private func failure(_ error: et_error) -> RuntimeFailure {
    let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return RuntimeFailure("ExecuTorch \(message)", outOfMemory: error.out_of_memory != 0)
}
