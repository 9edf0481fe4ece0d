import HarnessCore

/// What the screens show of a record.
public enum Summaries {
    /// - Parameter finished: whether `done.json` is there; a record without it is of a process that died.
    public static func of(_ record: RunRecord, finished: Bool) -> RunSummary {
        let (ending, message) = ending(record.outcome, finished: finished)
        let artifact = record.artifact
        return RunSummary(
            runId: record.request.runId, startedUtc: record.startedUtc, arm: artifact?.arm, shapeName: artifact?.shapeName ?? "no artifact",
            group: group(record), device: device(record.device), phone: record.device.kind == .phone, ending: ending, message: message,
            invalid: record.concerns.filter { $0.severity == .invalid }.map(line),
            warnings: record.concerns.filter { $0.severity == .warning }.map(line),
            contexts: artifact.map { facts in record.decode.compactMap { context($0, facts) } } ?? [],
            ceilingBytesPerS: record.bandwidth?.ceilingBytesPerS)
    }

    public static func line(_ concern: Concern) -> String { "\(concern.code.rawValue): \(concern.detail)" }

    /// `mobilellm-125m, coreml int4, 2 threads, cpu-and-gpu`.
    public static func title(pair: String, target: TargetName, scheme: Scheme, numThreads: Int, backend: Backend) -> String {
        let units = backend == .default ? "" : ", \(backend.rawValue)"
        return "\(pair), \(target.rawValue) \(scheme.rawValue), \(numThreads) \(numThreads == 1 ? "thread" : "threads")\(units)"
    }

    private static func group(_ record: RunRecord) -> RunGroup {
        guard let artifact = record.artifact, let key = ComparisonKey(record) else { return RunGroup(subject: "", setup: nil, title: "no artifact") }
        let asked = record.request.protocol
        let title = title(
            pair: artifact.arm == nil ? artifact.shapeName : artifact.pair, target: artifact.target, scheme: artifact.scheme,
            numThreads: asked.numThreads, backend: asked.backend)
        // A network alone is compared with nothing but itself.
        let subject = artifact.arm == nil ? artifact.contentId : artifact.pair
        return RunGroup(subject: subject, setup: key.setup, title: title)
    }

    private static func device(_ device: DeviceFacts) -> String {
        let name = [device.manufacturer, device.model].compactMap { $0 }.joined(separator: " ")
        let system = "\(device.os == "ios" ? "iOS" : device.os) \(device.osVersion)"
        return device.kind == .phone ? "\(name), \(system)" : "\(device.kind.rawValue): \(name), \(system)"
    }

    /// Step i of n attends context + i + 1 positions, the middle one context + (n + 1) / 2.
    private static func context(_ samples: DecodeSamples, _ artifact: ArtifactFacts) -> ContextSummary? {
        if samples.forwardNs.isEmpty { return nil }
        let attended = Double(samples.context) + Double(samples.forwardNs.count + 1) / 2
        let bytes = Double(artifact.weightBytesRead) + attended * Double(artifact.kvBytesPerPosition)
        return ContextSummary(context: samples.context, forwardNs: samples.forwardNs, bytesPerToken: bytes)
    }

    private static func ending(_ outcome: Outcome, finished: Bool) -> (Ending, String?) {
        switch outcome {
        case .failed(let stage, let failure, let message): (.failed, "\(failure.rawValue) in stage \(stage.rawValue): \(message)")
        case .skipped(let message): (.skipped, message)
        case .running(let stage): (.died, "the process ended in stage \(stage.rawValue)")
        case .completed: finished ? (.completed, nil) : (.died, "the process ended before done.json was written")
        }
    }
}
