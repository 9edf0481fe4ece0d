import COnnx
import HarnessCore

/// ONNX Runtime's ReduceSum over the probe's buffer: the runtime's own threads and loads, no weights.
public final class OnnxGraphReaders: GraphReaderFactory {
    public init() {}

    public func open(_ buffer: UnsafeMutableRawBufferPointer, numThreads: Int) throws -> any GraphReader {
        try ReduceSumReader(buffer, numThreads: numThreads)
    }
}

private final class ReduceSumReader: GraphReader {
    /// More than any phone has cores, and few enough that each row is a long read.
    private static let rows = 64

    let bytes: Int
    private let graph: OrtGraph

    init(_ buffer: UnsafeMutableRawBufferPointer, numThreads: Int) throws {
        let model = ReduceSumModel.bytes()
        let columns = buffer.count / 4 / Self.rows
        bytes = Self.rows * columns * 4
        graph = try OrtGraph(numThreads: numThreads) { ort, options, session in
            ort.api.CreateSessionFromArray(ort.environment, model, model.count, options, session)
        }
        let float = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
        try graph.bindInput(ReduceSumModel.input, graph.tensor(buffer.baseAddress!, [Self.rows, columns], float))
        try graph.bindOutput(ReduceSumModel.output, graph.tensor(graph.buffer(bytes: Self.rows * 4), [Self.rows], float))
    }

    func pass() throws { try graph.run() }
}

/// The ONNX file of `y = ReduceSum(x, axes=[1], keepdims=0)` for float32 [m, k], written field by field. ONNX Runtime shares the rows
/// out among its threads; a sum over everything it leaves to one thread. Field numbers are those of `onnx.proto`; a message is a list
/// of (number << 3 | wire type) keys with varints (type 0) or length-prefixed bytes (type 2).
enum ReduceSumModel {
    static let input = "x"
    static let output = "y"
    private static let float: UInt64 = 1
    private static let int64: UInt64 = 7
    private static let intAttribute: UInt64 = 2
    private static let irVersion: UInt64 = 8
    private static let opset: UInt64 = 13

    static func bytes() -> [UInt8] {
        varint(1, irVersion)  // ModelProto.ir_version
            + data(7, graph())  // ModelProto.graph
            + data(8, string(1, "") + varint(2, opset))  // ModelProto.opset_import: domain, version
    }

    private static func graph() -> [UInt8] {
        let shape = data(1, dimension("m")) + data(1, dimension("k"))
        return data(1, node())  // GraphProto.node
            + string(2, "read")  // GraphProto.name
            + data(5, axes())  // GraphProto.initializer
            + data(11, value(input, shape))  // GraphProto.input
            + data(12, value(output, data(1, dimension("m"))))  // GraphProto.output
    }

    private static func node() -> [UInt8] {
        string(1, input) + string(1, "axes")  // NodeProto.input
            + string(2, output)  // NodeProto.output
            + string(4, "ReduceSum")  // NodeProto.op_type
            + data(5, string(1, "keepdims") + varint(3, 0) + varint(20, intAttribute))  // AttributeProto: name, i, type
    }

    /// TensorProto: dims, data_type, int64_data, name.
    private static func axes() -> [UInt8] { varint(1, 1) + varint(2, int64) + varint(7, 1) + string(8, "axes") }

    /// Dimension.dim_param.
    private static func dimension(_ name: String) -> [UInt8] { string(2, name) }

    /// ValueInfoProto: name, type; TypeProto.tensor_type; Tensor.elem_type, shape.
    private static func value(_ name: String, _ shape: [UInt8]) -> [UInt8] {
        string(1, name) + data(2, data(1, varint(1, float) + data(2, shape)))
    }

    private static func string(_ field: UInt64, _ text: String) -> [UInt8] { data(field, Array(text.utf8)) }

    private static func data(_ field: UInt64, _ bytes: [UInt8]) -> [UInt8] { put(field << 3 | 2) + put(UInt64(bytes.count)) + bytes }

    private static func varint(_ field: UInt64, _ value: UInt64) -> [UInt8] { put(field << 3) + put(value) }

    private static func put(_ value: UInt64) -> [UInt8] {
        var (rest, bytes): (UInt64, [UInt8]) = (value, [])
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F | 0x80))
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
