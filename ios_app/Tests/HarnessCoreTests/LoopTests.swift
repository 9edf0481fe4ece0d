import CProbe
import Foundation
import HotLoops
import Testing

@testable import HarnessCore

/// The loops in C and in the always optimised target.
@Suite(.serialized) struct LoopTests {
    @Test(arguments: [1, 15, 16, 17, 384, 32_000])
    func argmaxIsTheLowestAmongEquals(count: Int) {
        for place in Set([0, count / 2, count - 1]) {
            var values = [Float](repeating: -2, count: count)
            values[place] = 3
            values[count - 1] = 3
            #expect(values.withUnsafeBufferPointer { argmax($0) } == place)
        }
    }

    @Test func argmaxOfOddValues() {
        #expect([Float.nan, 1, .nan].withUnsafeBufferPointer { argmax($0) } == 1)
        #expect([Float](repeating: .nan, count: 40).withUnsafeBufferPointer { argmax($0) } == 0)
        #expect([Float](repeating: -.infinity, count: 40).withUnsafeBufferPointer { argmax($0) } == 0)
        #expect([Float]().withUnsafeBufferPointer { argmax($0) } == 0)
    }

    /// Examples of FIPS 180-4 and of the NIST's list of long messages.
    @Test func sha256OfKnownMessages() {
        #expect(sha256Hex([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(sha256Hex(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let long = Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
        #expect(sha256Hex(long) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(sha256Hex([UInt8](repeating: 0x61, count: 1_000_000)) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func sha256InPieces() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        var digest = Sha256()
        for start in stride(from: 0, to: 1000, by: 37) {
            Array(bytes[start..<min(start + 37, 1000)]).withUnsafeBytes { digest.update($0) }
        }
        #expect(digest.finalize() == sha256Hex(bytes))
    }

    @Test func sumsAreRight() throws {
        let count = 1003
        let words = try #require(cprobe_allocate(count * 8)).assumingMemoryBound(to: UInt64.self)
        defer { cprobe_free(words) }
        #expect(Int(bitPattern: words) % 64 == 0)
        cprobe_fill(words, count)
        #expect(cprobe_sum(words, count) == 0x3F80_0000_3F80_0000 &* UInt64(count))
    }

    /// An optimiser that saw through the loop would do many passes in the time of one.
    @Test func manyPassesTakeManyTimesTheTime() throws {
        let count = 1 << 20
        let words = try #require(cprobe_allocate(count * 8)).assumingMemoryBound(to: UInt64.self)
        defer { cprobe_free(words) }
        cprobe_fill(words, count)
        func best(_ passes: Int) -> Int64 {
            (0..<5).map { _ in
                let start = cprobe_now_ns()
                for _ in 0..<passes { _ = cprobe_sum(words, count) }
                return cprobe_now_ns() - start
            }.min()!
        }
        #expect(best(16) > 6 * best(1))
    }

    @Test(arguments: [1, 2, 3])
    func probeReportsEachPass(threads: Int) throws {
        var probe = ProbeProtocol()
        probe.bufferBytes = 3 << 20
        probe.passes = 5
        let bandwidth = try BandwidthProbe(graph: nil).measure(numThreads: threads, probe: probe)
        #expect(bandwidth.best == .arraySum)
        #expect(bandwidth.passes.map(\.numThreads) == [threads])
        #expect(bandwidth.passes[0].passNs.count == 5)
        #expect(bandwidth.passes[0].passNs.allSatisfy { $0 > 0 })
        #expect(bandwidth.ceilingBytesPerS == Double(3 << 20) / median(bandwidth.passes[0].passNs) * 1e9)
    }

    @Test func medians() {
        #expect(median([3, 1, 2]) == 2)
        #expect(median([4, 1, 2, 3]) == 2.5)
    }
}
