/// A loaded model, its synthetic text (`text[i]` stands at position i of every prompt) and the clock.
final class GreedyDecoder {
    static let heartbeatNs = 10_000_000_000

    let text: [Int64]
    private let runtime: any LlmRuntime
    private let chunk: Int
    private let clock: any RunClock

    init(runtime: any LlmRuntime, text: [Int64], chunk: Int, clock: any RunClock) {
        self.runtime = runtime
        self.text = text
        self.chunk = chunk
        self.clock = clock
    }

    /// Fills positions 0 until `length` in chunks; the argmax of the last token's logits, 0 for no tokens.
    func prefill(_ tokens: [Int64], length: Int) throws -> Int {
        var position = 0
        while position < length {
            let count = min(chunk, length - position)
            try runtime.write(tokens: tokens, from: position, count: count, position: position)
            try runtime.forward()
            position += count
        }
        return length > 0 ? runtime.argmax() : 0
    }

    func step(_ token: Int64, at position: Int) throws -> Int {
        try runtime.write(token: token, position: position)
        try runtime.forward()
        return runtime.argmax()
    }

    /// Logits of the token that came last in `prefill` or `step`; allocates, and so is never timed.
    func logits(of ids: [Int]) -> [Double] { runtime.logits(of: ids) }

    /// Nanoseconds of each prefill of the first `length` tokens.
    func timePrefill(length: Int, repetitions: Int) throws -> [Int] {
        var prefillNs = [Int](repeating: 0, count: repetitions)
        for i in prefillNs.indices {
            let start = clock.monotonicNs()
            _ = try prefill(text, length: length)
            prefillNs[i] = clock.monotonicNs() - start
        }
        return prefillNs
    }

    /// Untimed steps that all stand at `context`.
    func warmUp(at context: Int, steps: Int) throws {
        for _ in 0..<steps { _ = try step(text[context], at: context) }
    }

    /// Times greedy steps from `context` on, one for each place of the two buffers. Allocates nothing. `heartbeat` is called between
    /// steps, never inside one, about every `heartbeatNs`.
    func timeSteps(
        from context: Int, forwardNs: UnsafeMutableBufferPointer<Int>, stepNs: UnsafeMutableBufferPointer<Int>, heartbeat: () -> Void
    ) throws {
        var token = text[context]
        var beat = clock.monotonicNs() + Self.heartbeatNs
        for i in forwardNs.indices {
            let start = clock.monotonicNs()
            try runtime.write(token: token, position: context + i)
            let before = clock.monotonicNs()
            try runtime.forward()
            let after = clock.monotonicNs()
            token = Int64(runtime.argmax())
            let end = clock.monotonicNs()
            forwardNs[i] = after - before
            stepNs[i] = end - start
            if end >= beat {
                heartbeat()
                beat = clock.monotonicNs() + Self.heartbeatNs
            }
        }
    }

    /// Steps at `context` for `limitNs` or until the buffers are full; returns how many. `sense` is called between steps with the time
    /// since the start, about every `heartbeatNs`.
    func sustain(
        at context: Int, limitNs: Int, startNs: UnsafeMutableBufferPointer<Int>, forwardNs: UnsafeMutableBufferPointer<Int>,
        sense: (Int) -> Void
    ) throws -> Int {
        let began = clock.monotonicNs()
        var token = text[context]
        var nextSense = 0
        var steps = 0
        while steps < startNs.count {
            let now = clock.monotonicNs() - began
            if now >= limitNs { break }
            if now >= nextSense {
                sense(now)
                nextSense = now + Self.heartbeatNs
            }
            try runtime.write(token: token, position: context)
            let before = clock.monotonicNs()
            try runtime.forward()
            let after = clock.monotonicNs()
            token = Int64(runtime.argmax())
            startNs[steps] = before - began
            forwardNs[steps] = after - before
            steps += 1
        }
        return steps
    }

    /// Sizes of the calls that prefill so many tokens in chunks.
    static func callSizes(_ lengths: [Int], chunk: Int) -> Set<Int> {
        Set(lengths.flatMap { [min($0, chunk), $0 % chunk] }.filter { $0 > 0 } + [1])
    }
}
