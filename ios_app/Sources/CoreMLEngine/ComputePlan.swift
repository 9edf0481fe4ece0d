#if canImport(CoreML)
    import CoreML
    import Foundation
    import HarnessCore

    /// Where Core ML means to run the operations of a model: a forecast, made when it is asked, not an observation.
    public struct ComputePlan: Codable, Sendable {
        /// Beside the record of the run that it was made for.
        public static let fileName = "compute_plan.json"

        /// Operations of the main function by the device that Core ML prefers for them, in the record's words.
        public let operations: [String: Int]

        static func load(_ compiled: URL, _ configuration: MLModelConfiguration) async throws -> ComputePlan {
            let plan = try await MLComputePlan.load(contentsOf: compiled, configuration: configuration)
            guard case .program(let program) = plan.modelStructure, let main = program.functions["main"] else { return ComputePlan(operations: [:]) }
            var operations = [String: Int]()
            for operation in main.block.operations {
                if let device = plan.deviceUsage(for: operation)?.preferred { operations[word(device), default: 0] += 1 }
            }
            return ComputePlan(operations: operations)
        }

        /// First what was set, then every device that some operation prefers. What was set is left out where the device that it is about
        /// gets no operation, so that the run is not taken for one of that device.
        public func observedBackends(asked: Backend) -> [String] {
            let wanted: String? =
                switch asked {
                case .cpuAndGpu: "gpu"
                case .cpuAndNeuralEngine: "neural-engine"
                case .default, .cpu, .xnnpack, .all: nil
                }
            let isKept = wanted.map { operations[$0] != nil } ?? true
            let set = asked == .default ? Backend.all : asked
            return (isKept ? [set.rawValue] : []) + operations.keys.sorted().filter { $0 != set.rawValue }
        }

        /// Counts are no part of the record: deep and wide differ in them, and would count as different setups. Throws `UserError`.
        public func write(to folder: URL) throws {
            let file = folder.appending(path: Self.fileName)
            do {
                try Wire.encode(self).write(to: file, options: .atomic)
            } catch {
                throw UserError("\(file.path): cannot be written: \(error.localizedDescription)")
            }
        }

        private static func word(_ device: MLComputeDevice) -> String {
            switch device {
            case .cpu: "cpu"
            case .gpu: "gpu"
            case .neuralEngine: "neural-engine"
            @unknown default: "another-device"
            }
        }
    }
#endif
