import Foundation
import HarnessCore

/// Requests that the app makes itself.
public enum Requests {
    /// Timed steps at each context.
    public static let decodeSteps = 128
    static let promptLengths = [64, 512]

    /// A name that no other session has, in the order of time.
    public static func newSession(now: Date = Date(), random: UInt32 = .random(in: 0..<1 << 24)) -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        return "\(format.string(from: now))-\(String(format: "%06x", random))"
    }

    /// The runs of a press of the button. `first`: the arm that goes first, drawn by the caller.
    public static func series(_ pick: PickModel, session: String, first: Arm) throws -> Series {
        guard let candidate = pick.candidate else { throw UserError("nothing is chosen") }
        if pick.measuredContexts.isEmpty {
            throw UserError("\(candidate.title) holds \(candidate.maxContext) positions: \(decodeSteps) tokens fit after none of \(pick.choice.contexts)")
        }
        return Series(
            session: session, candidateId: candidate.id, numThreads: pick.choice.numThreads, backend: pick.choice.backend,
            contexts: pick.measuredContexts, runsPerSide: pick.choice.runsPerSide, first: candidate.isPair ? first : nil)
    }

    /// The artifact and the request of a run of `series`. Throws `UserError` if the artifact is gone.
    public static func planned(_ series: Series, _ run: PlannedRun, in library: Library) throws -> (artifact: FoundArtifact, request: RunRequest) {
        guard let artifact = library.candidates.first(where: { $0.id == series.candidateId })?.artifact(run.arm) else {
            throw UserError("\(series.candidateId) is not on this phone any more")
        }
        var asked = RunProtocol()
        asked.numThreads = series.numThreads
        asked.backend = series.backend
        asked.contexts = series.contexts
        asked.decodeSteps = decodeSteps
        let lengths = promptLengths.filter { $0 <= artifact.maxContext }
        asked.promptLengths = lengths.isEmpty ? [1] : lengths
        let request = RunRequest(runId: series.runId(run), session: series.session, contentId: artifact.contentId, protocol: asked)
        return (artifact, request)
    }
}
