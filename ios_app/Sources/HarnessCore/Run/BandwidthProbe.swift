import CProbe
import Foundation

/// A graph inside a runtime that reads a buffer once per pass.
public protocol GraphReader: AnyObject {
    /// Bytes that one pass reads: the whole buffer, or what of it makes whole rows.
    var bytes: Int { get }

    /// Throws `RuntimeFailure`.
    func pass() throws
}

/// Opens a `GraphReader` over float32 values with so many threads.
public protocol GraphReaderFactory: AnyObject {
    /// Throws `RuntimeFailure`. The buffer outlives the reader.
    func open(_ buffer: UnsafeMutableRawBufferPointer, numThreads: Int) throws -> any GraphReader
}

/// Read bandwidth with a run's threads: the denominator of MBU. Each method's median pass counts, the faster method is the ceiling.
/// A pass lasts from the first thread's start to the last one's end, stamped by the threads themselves: a coordinator's clock starts
/// late when there are as many threads as cores. The loop is C (`CProbe`), where nothing is optimised away.
public final class BandwidthProbe {
    private static let warmUpPasses = 2

    private let graph: (any GraphReaderFactory)?

    /// `graph` reads the buffer inside a runtime; nil where none is at hand.
    public init(graph: (any GraphReaderFactory)?) { self.graph = graph }

    /// Throws `RuntimeFailure` if there is no memory or the graph cannot be run.
    public func measure(numThreads: Int, probe: ProbeProtocol) throws -> Bandwidth {
        let words = probe.bufferBytes / 8
        guard let memory = cprobe_allocate(words * 8) else {
            throw RuntimeFailure("no memory for the bandwidth probe's \(probe.bufferBytes) bytes", outOfMemory: true)
        }
        defer { cprobe_free(memory) }
        cprobe_fill(memory.assumingMemoryBound(to: UInt64.self), words)
        let sums = try Self.sums(memory.assumingMemoryBound(to: UInt64.self), words, numThreads, probe.passes)
        var passes = [ProbePasses(method: .arraySum, numThreads: numThreads, bytes: words * 8, passNs: sums)]
        if let graph {
            let buffer = UnsafeMutableRawBufferPointer(start: memory, count: words * 8)
            passes.append(try Self.graphPasses(graph.open(buffer, numThreads: numThreads), numThreads, probe.passes))
        }
        let best = passes.max { Self.bytesPerS($0) < Self.bytesPerS($1) }!
        return Bandwidth(passes: passes, best: best.method, ceilingBytesPerS: Self.bytesPerS(best))
    }

    private static func graphPasses(_ reader: any GraphReader, _ numThreads: Int, _ passes: Int) throws -> ProbePasses {
        for _ in 0..<warmUpPasses { try reader.pass() }
        let passNs = try (0..<passes).map { _ in
            let start = cprobe_now_ns()
            try reader.pass()
            return Int(cprobe_now_ns() - start)
        }
        return ProbePasses(method: .runtimeGraph, numThreads: numThreads, bytes: reader.bytes, passNs: passNs)
    }

    /// Nanoseconds of each pass over the words by all threads.
    static func sums(_ words: UnsafePointer<UInt64>, _ count: Int, _ numThreads: Int, _ passes: Int) throws -> [Int] {
        let rounds = passes + warmUpPasses
        guard let barrier = cprobe_barrier_make(Int32(numThreads)) else {
            throw RuntimeFailure("no memory for the bandwidth probe's threads", outOfMemory: true)
        }
        defer { cprobe_barrier_free(barrier) }
        let readers = (0..<numThreads).map { k in
            Reader(words: words, from: count * k / numThreads, until: count * (k + 1) / numThreads, rounds: rounds, barrier: barrier)
        }
        defer { readers.forEach { $0.release() } }
        let group = DispatchGroup()
        for reader in readers {
            group.enter()
            let thread = Thread {
                reader.read()
                group.leave()
            }
            thread.qualityOfService = .userInteractive
            thread.start()
        }
        group.wait()
        return (warmUpPasses..<rounds).map { round in
            Int(readers.map { $0.ends[round] }.max()! - readers.map { $0.starts[round] }.min()!)
        }
    }

    private static func bytesPerS(_ passes: ProbePasses) -> Double { Double(passes.bytes) / median(passes.passNs) * 1e9 }
}

/// One thread's part. Only its thread touches the times until that thread is over.
private struct Reader: @unchecked Sendable {
    let words: UnsafePointer<UInt64>
    let count: Int
    let rounds: Int
    let barrier: OpaquePointer
    let starts: UnsafeMutablePointer<Int64>
    let ends: UnsafeMutablePointer<Int64>

    init(words: UnsafePointer<UInt64>, from: Int, until: Int, rounds: Int, barrier: OpaquePointer) {
        self.words = words + from
        count = until - from
        self.rounds = rounds
        self.barrier = barrier
        starts = .allocate(capacity: rounds)
        ends = .allocate(capacity: rounds)
    }

    func read() { cprobe_read(words, count, Int32(rounds), barrier, starts, ends) }

    func release() {
        starts.deallocate()
        ends.deallocate()
    }
}

/// The middle value, or the mean of the two in the middle. At least one value.
public func median(_ values: [Int]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? Double(sorted[middle]) : Double(sorted[middle - 1] + sorted[middle]) / 2
}
