import Foundation

/// The stages in which the loaded model is called, from the self-check to the sustained phase.
final class Measurement {
    /// Steps of the sustained phase there is room for, as a multiple of what the fastest decode step would fill.
    private static let sustainedRoom = 1.5
    private static let spareSteps = 1000

    private let journal: Journal
    private let device: any DeviceProbe
    private let subject: Subject
    private let decoder: GreedyDecoder
    private var asked: RunProtocol { subject.request.protocol }

    init(journal: Journal, device: any DeviceProbe, clock: any RunClock, subject: Subject, runtime: any LlmRuntime) {
        self.journal = journal
        self.device = device
        self.subject = subject
        let asked = subject.request.protocol
        let text = (0..<asked.positions).map {
            Int64(syntheticToken(seed: asked.tokenSeed, index: $0, vocabSize: subject.shape.vocabSize))
        }
        decoder = GreedyDecoder(runtime: runtime, text: text, chunk: subject.chunk, clock: clock)
    }

    /// Throws `RunEnded` where a stage failed, `StorageFailure` where that cannot be written.
    func run() throws {
        try journal.stage(.selfCheck, onError: .runtime) { try selfCheck() }
        try journal.stage(.warmUp, onError: .runtime) { try warmUp() }
        try journal.stage(.prefill, onError: .runtime) { try prefill() }
        try journal.stage(.decode, onError: .runtime) { try decode() }
        if let seconds = asked.sustainedS {
            try journal.stage(.sustained, onError: .runtime) { try sustain(seconds) }
        }
    }

    private func selfCheck() throws {
        let result = try SelfChecker.check(decoder, against: subject.reference)
        journal.note { $0.selfCheck = result }
        if let wrong = result.firstMismatch {
            throw Refusal(failure: .parity, message: "text \(wrong.text), step \(wrong.step): token \(wrong.actual) instead of \(wrong.expected)")
        }
        guard let error = try SelfChecker.sampleError(decoder, against: subject.reference) else { return }
        if error <= 1 { return }  // Not a number is no match either.
        let times = String(format: "%.2f", error)
        throw Refusal(failure: .parity, message: "the sampled logits are \(times) times further off than a right model's")
    }

    private func warmUp() throws {
        for (done, length) in asked.promptLengths.enumerated() {
            journal.progress(done, of: asked.promptLengths.count)
            _ = try decoder.prefill(decoder.text, length: length)
        }
    }

    private func prefill() throws {
        for (done, length) in asked.promptLengths.enumerated() {
            journal.progress(done, of: asked.promptLengths.count)
            let prefillNs = try decoder.timePrefill(length: length, repetitions: asked.prefillRepetitions)
            journal.note { $0.prefill.append(PrefillSamples(promptLength: length, prefillNs: prefillNs)) }
        }
    }

    private func decode() throws {
        let total = asked.contexts.count
        for (done, context) in asked.contexts.enumerated() {
            journal.progress(done, of: total)
            var forwardNs = [Int](repeating: 0, count: asked.decodeSteps)
            var stepNs = forwardNs
            _ = try decoder.prefill(decoder.text, length: context)
            try decoder.warmUp(at: context, steps: asked.warmUpSteps)
            try forwardNs.withUnsafeMutableBufferPointer { forward in
                try stepNs.withUnsafeMutableBufferPointer { step in
                    try decoder.timeSteps(from: context, forwardNs: forward, stepNs: step) { journal.progress(done, of: total) }
                }
            }
            journal.note { $0.decode.append(DecodeSamples(context: context, forwardNs: forwardNs, stepNs: stepNs)) }
        }
    }

    private func sustain(_ seconds: Int) throws {
        let decoded = journal.record.decode.last!
        let limitNs = seconds * 1_000_000_000
        var startNs = [Int](repeating: 0, count: try room(limitNs, fastestNs: max(1, decoded.forwardNs.min()!), seconds))
        var forwardNs = startNs
        var thermal: [ThermalPoint] = []
        let steps = try startNs.withUnsafeMutableBufferPointer { start in
            try forwardNs.withUnsafeMutableBufferPointer { forward in
                try decoder.sustain(at: decoded.context, limitNs: limitNs, startNs: start, forwardNs: forward) { atNs in
                    let now = device.environment()
                    thermal.append(ThermalPoint(atNs: atNs, thermalStatus: now.thermalStatus, batteryCelsius: now.batteryCelsius))
                    journal.progress(atNs / 1_000_000_000, of: seconds)
                }
            }
        }
        let samples = SustainedSamples(
            context: decoded.context, startNs: Array(startNs.prefix(steps)), forwardNs: Array(forwardNs.prefix(steps)), thermal: thermal)
        journal.note { $0.sustained = samples }
    }

    private func room(_ limitNs: Int, fastestNs: Int, _ seconds: Int) throws -> Int {
        let steps = limitNs / fastestNs
        if steps > Limits.maxSteps {
            throw Limits.refusal("sustained_s \(seconds): \(steps) steps at \(fastestNs) ns each; at most \(Limits.maxSteps) are kept")
        }
        return Int(Double(steps) * Self.sustainedRoom) + Self.spareSteps
    }
}
