#if os(Linux)
    import CAllocations
    import Foundation
    import LinuxDevice
    import Testing

    @testable import HarnessCore

    /// Timed steps allocate nothing in the core.
    @Suite struct AllocationTests {
        /// A runtime that itself allocates nothing.
        final class Idle: LlmRuntime {
            let observed = ObservedRuntime(name: "idle", version: "1", numThreads: nil, loadMode: nil, backends: [])
            private var last = 0

            func write(token: Int64, position: Int) throws { last = Int(token) &+ position }

            func write(tokens: [Int64], from: Int, count: Int, position: Int) throws { last = Int(tokens[from]) }

            func forward() throws {}

            func argmax() -> Int { last & 255 }

            func logits(of ids: [Int]) -> [Double] { ids.map(Double.init) }
        }

        @Test func theCounterCounts() {
            let before = callocations_count()
            let array = [Int](repeating: 1, count: Int(before) + 1000)
            #expect(callocations_count() > before)
            #expect(array.count > 999)
        }

        @Test func timedStepsAllocateNothing() throws {
            let decoder = GreedyDecoder(runtime: Idle(), text: [1, 2, 3], chunk: 2, clock: LinuxClock())
            var forwardNs = [Int](repeating: 0, count: 1000)
            var stepNs = forwardNs
            let allocations = try forwardNs.withUnsafeMutableBufferPointer { forward in
                try stepNs.withUnsafeMutableBufferPointer { step in
                    let before = callocations_count()
                    try decoder.timeSteps(from: 2, forwardNs: forward, stepNs: step) {}
                    return callocations_count() - before
                }
            }
            #expect(allocations == 0)
            #expect(stepNs.allSatisfy { $0 > 0 })
        }

        @Test func sustainedStepsAllocateNothing() throws {
            let decoder = GreedyDecoder(runtime: Idle(), text: [1, 2, 3], chunk: 2, clock: LinuxClock())
            var startNs = [Int](repeating: 0, count: 1000)
            var forwardNs = startNs
            let allocations = try startNs.withUnsafeMutableBufferPointer { start in
                try forwardNs.withUnsafeMutableBufferPointer { forward in
                    let before = callocations_count()
                    _ = try decoder.sustain(at: 2, limitNs: Int.max, startNs: start, forwardNs: forward) { _ in }
                    return callocations_count() - before
                }
            }
            #expect(allocations == 0)
        }
    }
#endif
