#if os(Linux)
    import Foundation
    import HarnessCore
    import Testing
    import TinyArtifacts

    @testable import ExecuTorchEngine

    /// The real ExecuTorch runtime of the wheel, with own attention kernels. One pool of threads for the process: one test at a time.
    @Suite(.serialized, .enabled(if: TinyArtifacts.folder != nil, "DEEPNARROW_ARTIFACTS names no folder with the tiny pair")) struct ExecuTorchEngineTests {
        @Test(arguments: TinyArtifacts.shapes)
        func aTinyArtifactRuns(shape: String) throws {
            let record = try TinyArtifacts.run("\(shape)/executorch-int4", ExecuTorchEngine()) { $0.backend = .xnnpack }
            #expect(record.outcome == .completed)
            let check = try #require(record.selfCheck)
            #expect(check.decisiveSteps > 20 && check.decisiveMatches == check.decisiveSteps)
            #expect(record.observed?.numThreads == 2)
            #expect(record.observed?.backends == ["XnnpackBackend"])
            #expect(record.observed?.version.hasSuffix("+test-kernels") == true)
            #expect(!record.concerns.contains { $0.code == .backendDiffers || $0.code == .threadsDiffer })
        }

        @Test(arguments: TinyArtifacts.shapes)
        func otherLogitsAreNotTimed(shape: String) throws {
            let folder = try TinyArtifacts.withWrongLogits("\(shape)/executorch-int4", times: 3)
            let record = try TinyArtifacts.run(folder, ExecuTorchEngine())
            guard case .failed(.selfCheck, .parity, let message) = record.outcome else {
                Issue.record("timed: \(record.outcome)")
                return
            }
            #expect(message.hasPrefix("the sampled logits are ") && message.hasSuffix(" times further off than a right model's"))
            #expect(record.prefill.isEmpty)
        }

        @Test(arguments: [LoadMode.file, .mmap])
        func theLoadModeIsObserved(mode: LoadMode) throws {
            let record = try TinyArtifacts.run("deep-8x64/executorch-int4", ExecuTorchEngine()) { $0.loadMode = mode }
            #expect(record.observed?.loadMode == mode)
        }

        @Test func aFileThatIsNoProgram() throws {
            let artifact = try Artifact(folder: TinyArtifacts.folder!.appendingPathComponent("deep-8x64/onnx-int4"))
            let options = LoadOptions(numThreads: 1, backend: .default, loadMode: .default, positions: 8, callSizes: [1])
            #expect(throws: RuntimeFailure.self) { try ExecuTorchEngine().load(artifact, options: options) }
        }
    }
#endif
