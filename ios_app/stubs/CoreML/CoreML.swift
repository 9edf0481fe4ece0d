@_exported import Foundation

public enum MLComputeUnits: Int, Sendable {  // iOS 12
    case cpuOnly = 0  // iOS 12
    case cpuAndGPU = 1  // iOS 12
    case all = 2  // iOS 12
    case cpuAndNeuralEngine = 3  // iOS 16
}
open class MLModelConfiguration: NSObject, @unchecked Sendable {  // iOS 12
    open var computeUnits: MLComputeUnits { get { fatalError() } set {} }  // iOS 12
}
open class MLModel: NSObject, @unchecked Sendable {  // iOS 11
    public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {}  // iOS 12
    open class func compileModel(at url: URL) async throws -> URL { fatalError() }  // iOS 16
    open func makeState() -> MLState { fatalError() }  // iOS 18
    open func prediction(from input: any MLFeatureProvider, using state: MLState, options: MLPredictionOptions) throws -> any MLFeatureProvider { fatalError() }  // iOS 18
    open func prediction(from input: any MLFeatureProvider, using state: MLState, options: MLPredictionOptions = MLPredictionOptions()) async throws -> any MLFeatureProvider { fatalError() }  // iOS 18
}
open class MLState: NSObject, @unchecked Sendable {}  // iOS 18
open class MLPredictionOptions: NSObject {  // iOS 12
    open var outputBackings: [String: Any] { get { fatalError() } set {} }  // iOS 16
}
public protocol MLFeatureProvider: AnyObject {  // iOS 11
    var featureNames: Set<String> { get }  // iOS 11
    func featureValue(for featureName: String) -> MLFeatureValue?  // iOS 11
}
open class MLFeatureValue: NSObject {  // iOS 11
    public init(multiArray value: MLMultiArray) {}  // iOS 11
    open var multiArrayValue: MLMultiArray? { fatalError() }  // iOS 11
}
public enum MLMultiArrayDataType: Int, Sendable {  // iOS 11
    case float16  // iOS 16
    case int32  // iOS 11
}
open class MLMultiArray: NSObject {  // iOS 11
    public init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws {}  // iOS 11
    public init(dataPointer: UnsafeMutableRawPointer, shape: [NSNumber], dataType: MLMultiArrayDataType, strides: [NSNumber], deallocator: ((UnsafeMutableRawPointer) -> Void)?) throws {}  // iOS 11
}
public protocol MLShapedArrayScalar {}  // iOS 15
extension Float16: MLShapedArrayScalar {}  // iOS 16
extension MLMultiArray {  // iOS 11
    public func withUnsafeBufferPointer<S: MLShapedArrayScalar, R>(ofType type: S.Type, _ body: (UnsafeBufferPointer<S>) throws -> R) rethrows -> R { fatalError() }  // iOS 15.4
}
public enum MLComputeDevice: Sendable {  // iOS 17
    case cpu(MLCPUComputeDevice)  // iOS 17
    case gpu(MLGPUComputeDevice)  // iOS 17
    case neuralEngine(MLNeuralEngineComputeDevice)  // iOS 17
}
public struct MLCPUComputeDevice: Sendable {}  // iOS 17
public struct MLGPUComputeDevice: Sendable {}  // iOS 17
public struct MLNeuralEngineComputeDevice: Sendable {}  // iOS 17
public final class MLComputePlan {  // iOS 17.4
    public static func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLComputePlan { fatalError() }  // iOS 17.4
    public var modelStructure: MLModelStructure { fatalError() }  // iOS 17.4
    public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? { fatalError() }  // iOS 17.4
    public struct DeviceUsage {  // iOS 17.4
        public var preferred: MLComputeDevice { fatalError() }  // iOS 17.4
    }
}
public enum MLModelStructure: Sendable {  // iOS 17.4
    case program(Program)  // iOS 17.4
    case neuralNetwork  // iOS 17.4
    case pipeline  // iOS 17.4
    case unsupported  // iOS 17.4
    public struct Program: Sendable {  // iOS 17.4
        public var functions: [String: Function] { fatalError() }  // iOS 17.4
        public struct Function: Sendable {  // iOS 17.4
            public var block: Block { fatalError() }  // iOS 17.4
        }
        public struct Block: Sendable {  // iOS 17.4
            public var operations: [Operation] { fatalError() }  // iOS 17.4
        }
        public struct Operation: Sendable {}  // iOS 17.4
    }
}
