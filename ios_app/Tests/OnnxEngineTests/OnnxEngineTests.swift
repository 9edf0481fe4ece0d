#if os(Linux)
    import CProbe
    import Foundation
    import HarnessCore
    import Testing
    import TinyArtifacts

    @testable import OnnxEngine

    /// The real ONNX Runtime: its bandwidth graph always, and tiny artifacts where they were exported.
    @Suite(.serialized) struct OnnxEngineTests {
        @Test func theGraphReadsWholeRows() throws {
            let bytes = (1 << 20) + 100
            let memory = try #require(cprobe_allocate(bytes))
            defer { cprobe_free(memory) }
            let reader = try OnnxGraphReaders().open(UnsafeMutableRawBufferPointer(start: memory, count: bytes), numThreads: 2)
            try reader.pass()
            #expect(reader.bytes == 1 << 20)
        }

        @Test func aBrokenModelIsOneLine() throws {
            #expect(throws: RuntimeFailure.self) {
                try OrtGraph(numThreads: 1) { ort, options, session in
                    ort.api.CreateSessionFromArray(ort.environment, [1, 2, 3], 3, options, session)
                }
            }
        }

        @Test(.enabled(if: TinyArtifacts.folder != nil, "DEEPNARROW_ARTIFACTS names no folder with the tiny pair"), arguments: TinyArtifacts.shapes)
        func aTinyArtifactRuns(shape: String) throws {
            let record = try TinyArtifacts.run("\(shape)/onnx-int4", OnnxEngine(), graph: OnnxGraphReaders())
            #expect(record.outcome == .completed)
            let check = try #require(record.selfCheck)
            #expect(check.decisiveSteps > 20 && check.decisiveMatches == check.decisiveSteps)
            #expect(record.observed?.numThreads == 2)
            #expect(record.observed?.backends == ["CPUExecutionProvider"])
            #expect(record.bandwidth?.passes.map(\.method) == [.arraySum, .runtimeGraph])
            #expect(record.decode.allSatisfy { $0.forwardNs.count == 8 })
        }

        @Test(.enabled(if: TinyArtifacts.folder != nil, "DEEPNARROW_ARTIFACTS names no folder with the tiny pair"), arguments: TinyArtifacts.shapes)
        func otherLogitsAreNotTimed(shape: String) throws {
            let folder = try TinyArtifacts.withWrongLogits("\(shape)/onnx-int4", times: 3)
            let record = try TinyArtifacts.run(folder, OnnxEngine())
            guard case .failed(.selfCheck, .parity, let message) = record.outcome else {
                Issue.record("timed: \(record.outcome)")
                return
            }
            #expect(message.hasPrefix("the sampled logits are ") && message.hasSuffix(" times further off than a right model's"))
            #expect(record.prefill.isEmpty)
        }

        /// Steps at one context do not change the text, and a run can go back to position 0.
        @Test(.enabled(if: TinyArtifacts.folder != nil, "DEEPNARROW_ARTIFACTS names no folder with the tiny pair"))
        func goingBackGivesTheSameTokens() throws {
            let artifact = try Artifact(folder: TinyArtifacts.folder!.appendingPathComponent("deep-8x64/onnx-int4"))
            let options = LoadOptions(numThreads: 1, backend: .default, loadMode: .default, positions: 64, callSizes: [1, 16])
            let runtime = try OnnxEngine().load(artifact, options: options)
            func text() throws -> [Int] {
                try runtime.write(tokens: (1...16).map { Int64($0) }, from: 0, count: 16, position: 0)
                try runtime.forward()
                var ids = [runtime.argmax()]
                for position in 16..<32 {
                    for _ in 0..<2 {
                        try runtime.write(token: Int64(ids.last!), position: position)
                        try runtime.forward()
                    }
                    ids.append(runtime.argmax())
                }
                return ids
            }
            #expect(try text() == text())
            #expect(throws: RuntimeFailure.self) { try runtime.write(tokens: [1, 2], from: 0, count: 2, position: 0) }
        }
    }
#endif
