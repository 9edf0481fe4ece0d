#if canImport(CoreML)
    import CoreML
    import Foundation
    import HarnessCore

    /// Runs stateful Core ML packages (iOS 18). What computes is chosen when a model is loaded, so compute units are an axis of the protocol.
    public final class CoreMLEngine: LlmEngine {
        public let target = TargetName.coreml
        public let backends: [Backend] = [.default, .cpu, .cpuAndGpu, .cpuAndNeuralEngine, .all]
        public let loadModes: [LoadMode] = [.default]

        private let cache: URL
        private let osBuild: String
        /// Of the artifact that was prepared last; nil before.
        public private(set) var plan: ComputePlan?

        /// Compiled models are kept in `cache`, one for each manifest and build of the system.
        public init(cache: URL, osBuild: String) {
            self.cache = cache
            self.osBuild = osBuild
        }

        /// Compiles the package if this system has not yet, asks for the compute plan, and loads the model once: the system adapts a model
        /// to the device at its first load and keeps that, so only a second load is worth timing.
        public func prepare(_ artifact: Artifact, options: LoadOptions) throws {
            let package = try Self.package(of: artifact)
            let compiled = compiledFolder(artifact)
            let configuration = configuration(options.backend)
            try failing {
                try self.compile(package, to: compiled)
                self.plan = try waiting { try await ComputePlan.load(compiled, configuration) }
                _ = try MLModel(contentsOf: compiled, configuration: configuration)
            }
        }

        public func load(_ artifact: Artifact, options: LoadOptions) throws -> any LlmRuntime {
            try failing {
                let model = try MLModel(contentsOf: self.compiledFolder(artifact), configuration: self.configuration(options.backend))
                let observed = ObservedRuntime(
                    name: "coreml", version: Self.systemVersion, numThreads: nil, loadMode: nil,
                    backends: self.plan?.observedBackends(asked: options.backend) ?? [])
                return try CoreMLRuntime(model: model, manifest: artifact.manifest, callSizes: options.callSizes, observed: observed)
            }
        }

        private func compile(_ package: URL, to place: URL) throws {
            let files = FileManager.default
            if files.fileExists(atPath: place.path) { return }
            try files.createDirectory(at: cache, withIntermediateDirectories: true)
            let temporary = try waiting { try await MLModel.compileModel(at: package) }
            try files.moveItem(at: temporary, to: place)
        }

        private func compiledFolder(_ artifact: Artifact) -> URL { cache.appending(path: "\(artifact.manifestSha256)-\(osBuild).mlmodelc") }

        private func configuration(_ backend: Backend) -> MLModelConfiguration {
            let configuration = MLModelConfiguration()
            switch backend {
            case .cpu: configuration.computeUnits = .cpuOnly
            case .cpuAndGpu: configuration.computeUnits = .cpuAndGPU
            case .cpuAndNeuralEngine: configuration.computeUnits = .cpuAndNeuralEngine
            case .default, .all, .xnnpack: configuration.computeUnits = .all
            }
            return configuration
        }

        private static func package(of artifact: Artifact) throws -> URL {
            let names = Set(artifact.manifest.modelFiles.compactMap { $0.path.split(separator: "/").first.map(String.init) })
            guard let name = names.first(where: { $0.hasSuffix(".mlpackage") }) else {
                throw RuntimeFailure("\(artifact.folder.path): the manifest lists no .mlpackage")
            }
            return artifact.folder.appending(path: name)
        }

        /// Core ML has no version of its own.
        private static var systemVersion: String {
            let version = ProcessInfo.processInfo.operatingSystemVersion
            return "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
        }
    }

    /// Core ML's errors as the core's.
    func failing<T>(_ action: () throws -> T) throws -> T {
        do {
            return try action()
        } catch let failure as RuntimeFailure {
            throw failure
        } catch {
            throw RuntimeFailure(error.localizedDescription)
        }
    }

    /// Waits for an asynchronous call. For a run's own thread only: a thread of the concurrency pool must not wait like this.
    private func waiting<T: Sendable>(_ action: @escaping @Sendable () async throws -> T) throws -> T {
        let done = DispatchSemaphore(value: 0)
        let answer = Answer<T>()
        Task.detached {
            do { answer.result = .success(try await action()) } catch { answer.result = .failure(error) }
            done.signal()
        }
        done.wait()
        return try answer.result!.get()
    }

    /// Written before the semaphore is signalled and read after; never at the same time.
    private final class Answer<T: Sendable>: @unchecked Sendable {
        var result: Result<T, any Error>?
    }
#endif
