import COnnx
import CThreads
import Foundation
import HarnessCore

/// ONNX Runtime's table of C functions. A value of plain pointers, read only.
struct Ort: @unchecked Sendable {
    let api: OrtApi
    /// One for the process; the runtime keeps its logger in it.
    let environment: OpaquePointer

    private static let loaded = Result { try Ort() }

    /// Throws `RuntimeFailure` if the library is older than its header.
    static func shared() throws -> Ort { try loaded.get() }

    static var version: String { String(cString: OrtGetApiBase().pointee.GetVersionString()!) }

    private init() throws {
        guard let table = OrtGetApiBase().pointee.GetApi(UInt32(ORT_API_VERSION)) else {
            throw RuntimeFailure("ONNX Runtime \(Self.version) does not have version \(ORT_API_VERSION) of its C API")
        }
        let api = table.pointee
        var environment: OpaquePointer?
        try Self.check(api, "cannot be started", api.CreateEnv(ORT_LOGGING_LEVEL_ERROR, "deepnarrow", &environment))
        self.api = api
        self.environment = environment!
    }

    /// Throws what the runtime says as one line that begins with `what`.
    func check(_ what: StaticString, _ status: OrtStatusPtr?) throws { try Self.check(api, what, status) }

    /// Calls a function that returns its result through a last pointer argument.
    func make(_ what: StaticString, _ call: (UnsafeMutablePointer<OpaquePointer?>) -> OrtStatusPtr?) throws -> OpaquePointer {
        var result: OpaquePointer?
        try check(what, call(&result))
        return result!
    }

    private static func check(_ api: OrtApi, _ what: StaticString, _ status: OrtStatusPtr?) throws {
        guard let status else { return }
        defer { api.ReleaseStatus(status) }
        let message = String(cString: api.GetErrorMessage(status)!)
        // The runtime has no error code of its own for it.
        let outOfMemory = message.contains("bad_alloc") || message.contains("Failed to allocate memory")
        throw RuntimeFailure("ONNX Runtime \(what): \(message)", outOfMemory: outOfMemory)
    }
}

/// A loaded graph with its inputs and outputs bound to buffers that are made here, once. Owns everything it makes.
final class OrtGraph {
    let ort: Ort
    /// Threads that the session started, beside the one that calls it.
    private let started = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    private var session: OpaquePointer?
    private var binding: OpaquePointer?
    private var memory: OpaquePointer?
    private var runOptions: OpaquePointer?
    private var values: [OpaquePointer] = []
    private var buffers: [UnsafeMutableRawPointer] = []

    var startedThreads: Int { Int(started.pointee) }

    /// `create` makes the session from the environment and the options. Throws `RuntimeFailure`.
    init(numThreads: Int, create: (Ort, OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> OrtStatusPtr?) throws {
        let ort = try Ort.shared()
        self.ort = ort
        started.initialize(to: 0)
        let options = try ort.make("cannot make options") { ort.api.CreateSessionOptions($0) }
        defer { ort.api.ReleaseSessionOptions(options) }
        try ort.check("cannot set threads", ort.api.SetIntraOpNumThreads(options, Int32(numThreads)))
        try ort.check("cannot set threads", ort.api.SetInterOpNumThreads(options, 1))
        try useOwnThreads(options)
        let session = try ort.make("cannot load the model") { create(ort, options, $0) }
        self.session = session
        memory = try ort.make("cannot describe memory") { ort.api.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, $0) }
        binding = try ort.make("cannot bind") { ort.api.CreateIoBinding(session, $0) }
        runOptions = try ort.make("cannot make options") { ort.api.CreateRunOptions($0) }
    }

    deinit {
        let api = ort.api
        if let binding { api.ReleaseIoBinding(binding) }
        values.forEach { api.ReleaseValue($0) }
        if let session { api.ReleaseSession(session) }
        if let memory { api.ReleaseMemoryInfo(memory) }
        if let runOptions { api.ReleaseRunOptions(runOptions) }
        buffers.forEach { free($0) }
        started.deallocate()
    }

    /// Worker threads of our own making: they are counted, and on Apple get the caller's priority, which threads do not inherit.
    private func useOwnThreads(_ options: OpaquePointer) throws {
        let api = ort.api
        try ort.check("cannot set threads", api.SessionOptionsSetCustomThreadCreationOptions(options, started))
        try ort.check(
            "cannot set threads",
            api.SessionOptionsSetCustomCreateThreadFn(options) { counter, work, argument in
                UnsafePointer(cthreads_start(counter, work, argument)?.assumingMemoryBound(to: OrtCustomHandleType.self))
            })
        try ort.check(
            "cannot set threads", api.SessionOptionsSetCustomJoinThreadFn(options) { cthreads_join(UnsafeMutableRawPointer(mutating: $0)) })
    }

    /// Zeroed, 64-byte aligned memory that lives as long as the graph. Throws `RuntimeFailure`.
    func buffer(bytes: Int) throws -> UnsafeMutableRawPointer {
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, 64, max(bytes, 64)) == 0, let memory else {
            throw RuntimeFailure("no memory for a tensor of \(bytes) bytes", outOfMemory: true)
        }
        memset(memory, 0, bytes)
        buffers.append(memory)
        return memory
    }

    /// A tensor over memory that lives as long as the graph. Throws `RuntimeFailure`.
    func tensor(_ data: UnsafeMutableRawPointer, _ shape: [Int], _ type: ONNXTensorElementDataType) throws -> OpaquePointer {
        let bytes = shape.reduce(type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 ? 8 : 4, *)
        let dimensions = shape.map(Int64.init)
        let value = try ort.make("cannot make a tensor") {
            ort.api.CreateTensorWithDataAsOrtValue(memory, data, bytes, dimensions, dimensions.count, type, $0)
        }
        values.append(value)
        return value
    }

    func bindInput(_ name: UnsafePointer<CChar>, _ value: OpaquePointer) throws {
        try ort.check("cannot bind an input", ort.api.BindInput(binding, name, value))
    }

    func bindOutput(_ name: UnsafePointer<CChar>, _ value: OpaquePointer) throws {
        try ort.check("cannot bind an output", ort.api.BindOutput(binding, name, value))
    }

    func run() throws { try ort.check("failed in a call", ort.api.RunWithBinding(session, runOptions, binding)) }
}
