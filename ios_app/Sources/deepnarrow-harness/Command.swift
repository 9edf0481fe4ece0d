import Foundation
import HarnessCore
import LinuxDevice
import OnnxEngine

#if EXECUTORCH
    import ExecuTorchEngine
#endif

/// The desktop harness; docs/harness-contract.md has its contract.
@main enum Command {
    private static let completed: Int32 = 0
    private static let failed: Int32 = 1
    private static let badInput: Int32 = 2
    private static let buildDigits = 16

    private static let help = """
        usage: deepnarrow-harness run --artifact DIR --request FILE --out DIR [--device-json FILE]

        Measures one artifact of `python -m export` in this process: memory bandwidth, load, self-check, prefill, decode.
        Leaves OUT/<run_id>/record.json and, last, done.json. This build runs \(engines().map(\.target.rawValue).joined(separator: " and ")) artifacts.

          --artifact DIR      artifact folder
          --request FILE      run request, schema deepnarrow/run-request/1
          --out DIR           where the run's own folder is made
          --device-json FILE  play another device: {"device": {...}, "environment": {...}}; device.kind must be fake
          --help, --version

        Standard output: progress, one JSON object a line; the last line is the result.
        Exit codes: 0 completed, 1 failed or skipped (the record says why), 2 bad input, nothing written.
        """

    static func main() {
        do {
            exit(try run(Array(CommandLine.arguments.dropFirst())))
        } catch let error as UserError {
            complain(error.message)
            exit(badInput)
        } catch {
            complain("the record cannot be written: \(oneLine("\(error)"))")
            exit(failed)
        }
    }

    private static func run(_ words: [String]) throws -> Int32 {
        if words == ["--help"] || words == ["-h"] { return say(help) }
        if words == ["--version"] { return say(harnessVersion) }
        let arguments = try Arguments(words)
        let request = try Wire.readRequest(arguments.request)
        let played = try arguments.deviceJson.map(PlayedDevice.read)
        let clock = LinuxClock()
        let probe = LinuxProbe(info(), clock: clock, played: played)
        let runner = ProtocolRunner(
            engines: engines(), device: probe, bandwidth: BandwidthProbe(graph: OnnxGraphReaders()), clock: clock,
            listener: PrintedProgress())
        let store = try RunStore(out: arguments.out, runId: request.runId)
        let record = try runner.run(artifact: arguments.artifact, request: request, store: store)
        print(Result(record, store))
        return record.outcome == .completed ? completed : failed
    }

    private static func engines() -> [any LlmEngine] {
        #if EXECUTORCH
            [OnnxEngine(), ExecuTorchEngine()]
        #else
            [OnnxEngine()]
        #endif
    }

    private static func info() -> HarnessInfo {
        #if DEBUG
            let debug = true
        #else
            let debug = false
        #endif
        // Not /proc/self/exe, which is the loader where that was called by name.
        let build = (try? sha256(URL(fileURLWithPath: CommandLine.arguments[0]))).map { String($0.prefix(buildDigits)) }
        return HarnessInfo(name: "deepnarrow-swift", version: harnessVersion, build: build, debug: debug)
    }

    private static func complain(_ message: String) { FileHandle.standardError.write(Data("error: \(message)\n".utf8)) }

    private static func say(_ text: String) -> Int32 {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
        return completed
    }
}

/// One JSON object as a line on standard output, at once: a reader on a pipe waits for it.
private func print(_ line: some Encodable) {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(line) else { return }
    try? FileHandle.standardOutput.write(contentsOf: data + Data("\n".utf8))
}

private final class PrintedProgress: RunListener {
    private struct Line: Encodable {
        let stage: Stage
        let done: Int
        let total: Int
    }

    func onProgress(stage: Stage, done: Int, total: Int) { print(Line(stage: stage, done: done, total: total)) }
}

/// The last line.
private struct Result: Encodable {
    let runId: String
    let outcome: Outcome.Kind
    let record: String
    @Nullable var message: String?

    init(_ record: RunRecord, _ store: RunStore) {
        runId = record.request.runId
        outcome = record.outcome.kind
        self.record = store.recordFile.path
        switch record.outcome {
        case .failed(_, _, let message), .skipped(let message): self.message = message
        case .completed, .running: message = nil
        }
    }
}
