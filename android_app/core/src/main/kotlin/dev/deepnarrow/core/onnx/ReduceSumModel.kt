package dev.deepnarrow.core.onnx

import java.io.ByteArrayOutputStream

/**
 * The ONNX file of `y = ReduceSum(x, axes=[1], keepdims=0)` for float32 [m, k], written field by field. ONNX Runtime shares the
 * rows out among its threads; a sum over everything it leaves to one thread. Field numbers are those of `onnx.proto`; a message
 * is a list of (number << 3 | wire type) keys with varints (type 0) or length-prefixed bytes (type 2).
 */
internal object ReduceSumModel {
    const val INPUT = "x"
    private const val OUTPUT = "y"
    private const val AXES = "axes"
    private const val FLOAT = 1L
    private const val INT64 = 7L
    private const val INT_ATTRIBUTE = 2L
    private const val IR_VERSION = 8L
    private const val OPSET = 13L

    fun bytes(): ByteArray = Message()
        .varint(1, IR_VERSION) // ModelProto.ir_version
        .message(7, graph()) // ModelProto.graph
        .message(8, Message().string(1, "").varint(2, OPSET)) // ModelProto.opset_import: domain, version
        .bytes()

    private fun graph() = Message()
        .message(1, node()) // GraphProto.node
        .string(2, "read") // GraphProto.name
        .message(5, axes()) // GraphProto.initializer
        .message(11, value(INPUT, Message().message(1, dimension("m")).message(1, dimension("k")))) // GraphProto.input
        .message(12, value(OUTPUT, Message().message(1, dimension("m")))) // GraphProto.output

    private fun node() = Message()
        .string(1, INPUT).string(1, AXES) // NodeProto.input
        .string(2, OUTPUT) // NodeProto.output
        .string(4, "ReduceSum") // NodeProto.op_type
        .message(5, Message().string(1, "keepdims").varint(3, 0).varint(20, INT_ATTRIBUTE)) // AttributeProto: name, i, type

    /** TensorProto: dims, data_type, int64_data, name. */
    private fun axes() = Message().varint(1, 1).varint(2, INT64).varint(7, 1).string(8, AXES)

    /** Dimension.dim_param. */
    private fun dimension(name: String) = Message().string(2, name)

    /** ValueInfoProto: name, type; TypeProto.tensor_type; Tensor.elem_type, shape. */
    private fun value(name: String, shape: Message) = Message()
        .string(1, name)
        .message(2, Message().message(1, Message().varint(1, FLOAT).message(2, shape)))

    private class Message {
        private val out = ByteArrayOutputStream()

        fun bytes(): ByteArray = out.toByteArray()

        fun varint(field: Int, value: Long) = apply {
            put(field.toLong() shl 3)
            put(value)
        }

        fun string(field: Int, text: String) = data(field, text.encodeToByteArray())

        fun message(field: Int, message: Message) = data(field, message.bytes())

        private fun data(field: Int, data: ByteArray) = apply {
            put((field.toLong() shl 3) or 2)
            put(data.size.toLong())
            out.write(data)
        }

        private fun put(value: Long) {
            var rest = value
            while (rest >= 0x80) {
                out.write((rest and 0x7F or 0x80).toInt())
                rest = rest ushr 7
            }
            out.write(rest.toInt())
        }
    }
}
