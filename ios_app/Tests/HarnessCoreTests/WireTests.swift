import Foundation
import Testing

@testable import HarnessCore

/// What is refused, with the line that says why.
@Suite struct WireTests {
    @Test(arguments: [
        (#"{"run_id": "a", "job_id": "x"}"#, "job_id: unknown key; there are content_id, plan, protocol, run_id, schema, session, start_limits"),
        (#"{"run_id": "a", "protocol": {"depths": [0]}}"#, "protocol.depths: unknown key; there are backend, contexts, decode_steps"),
        (#"{}"#, "run_id is missing"),
        (#"{"run_id": "-a"}"#, "run_id: '-a' must be 1 to 120 letters, digits, '.', '_' or '-', the first a letter or digit"),
        (#"{"run_id": "a/b"}"#, "run_id: 'a/b' must be 1 to 120"),
        (#"{"run_id": "a", "session": ""}"#, "session: '' must be 1 to 120"),
        (#"{"run_id": "a", "schema": "deepnarrow/run-request/2"}"#, "this version reads 'deepnarrow/run-request/1'"),
        (#"{"run_id": "a", "protocol": {"num_threads": 0}}"#, "protocol.num_threads: must be at least 1, got 0"),
        (#"{"run_id": "a", "protocol": {"num_threads": "2"}}"#, "protocol.num_threads: must be a whole number"),
        (#"{"run_id": "a", "protocol": {"num_threads": null}}"#, "protocol.num_threads: must be a whole number, not null"),
        (#"{"run_id": "a", "protocol": {"backend": "gpu"}}"#, "protocol.backend: 'gpu' is not known; choose from default, cpu, xnnpack, cpu-and-gpu"),
        (#"{"run_id": "a", "protocol": {"contexts": [5, 0]}}"#, "protocol.contexts: must be one or more numbers in ascending order, each once, got [5, 0]"),
        (#"{"run_id": "a", "protocol": {"prompt_lengths": []}}"#, "protocol.prompt_lengths: must be one or more numbers"),
        (#"{"run_id": "a", "protocol": {"prompt_lengths": [0]}}"#, "protocol.prompt_lengths: must be at least 1, got 0"),
        (#"{"run_id": "a", "protocol": {"token_seed": -1}}"#, "protocol.token_seed: must be at least 0"),
        (#"{"run_id": "a", "protocol": {"decode_steps": 1}}"#, "protocol.decode_steps: must be at least 2"),
        (#"{"run_id": "a", "protocol": {"sustained_s": 0}}"#, "protocol.sustained_s: must be at least 1"),
        (#"{"run_id": "a", "protocol": {"probe": {"passes": 2}}}"#, "protocol.probe.passes: must be at least 3"),
        (#"{"run_id": "a", "start_limits": {"wait_s": -1}}"#, "start_limits.wait_s: must be at least 0"),
        (#"{"run_id": "a", "plan": {"campaign": "c"}}"#, "plan.cell is missing"),
        (#"[1]"#, "the document: must be an object"),
        ("nonsense", "not JSON that can be read"),
    ])
    func badRequests(text: String, part: String) {
        do {
            _ = try Wire.parseRequest(Data(text.utf8), name: "request")
            Issue.record("\(text) was taken")
        } catch {
            #expect("\(error)".hasPrefix("request: "))
            #expect("\(error)".contains(part))
            #expect(!"\(error)".contains("\n"))
        }
    }

    /// A switched-off limit is not the default one.
    @Test func nullSwitchesALimitOff() throws {
        let off = try Wire.parseRequest(Data(#"{"run_id": "a", "start_limits": {"max_battery_celsius": null}}"#.utf8), name: "x")
        #expect(off.startLimits.maxBatteryCelsius == nil)
        #expect(off.startLimits.maxThermalStatus == 0)
    }

    @Test func manifestsMayHaveNewKeys() throws {
        let folder = try Repository.temporaryFolder()
        var json = try Repository.json(Data(contentsOf: Repository.golden("manifest.json"))) as! [String: Any]
        json["of_tomorrow"] = ["a": 1]
        let file = folder.appendingPathComponent("manifest.json")
        try JSONSerialization.data(withJSONObject: json).write(to: file)
        #expect(try Wire.readManifest(file) == Wire.readManifest(Repository.golden("manifest.json")))
    }

    @Test func recordsNeedAllTheirKeys() throws {
        var json = try Repository.json(Data(contentsOf: Repository.golden("record_completed.json"))) as! [String: Any]
        json["evidence"] = nil
        let data = try JSONSerialization.data(withJSONObject: json)
        #expect(throws: UserError("r: evidence is missing")) { try Wire.parseRecord(data, name: "r") }
        json["evidence"] = NSNull()
        json["gate_wait_ns"] = 0
        let old = try JSONSerialization.data(withJSONObject: json)
        #expect(throws: UserError.self) { try Wire.parseRecord(old, name: "r") }
    }

    @Test func largeFilesAreNotRead() throws {
        let file = try Repository.temporaryFolder().appendingPathComponent("request.json")
        try Data(repeating: 0x20, count: Wire.maxRequestBytes + 1).write(to: file)
        #expect(throws: UserError("\(file.path): 1048577 bytes; at most 1048576 are read")) { try Wire.readRequest(file) }
        let folder = file.deletingLastPathComponent()
        #expect(throws: UserError("\(folder.path): no such file")) { try Wire.readRequest(folder) }
    }

    /// Values of `synthetic_token` in Python.
    @Test func syntheticText() {
        #expect((0..<4).map { syntheticToken(seed: 7, index: $0, vocabSize: 32000) } == [11243, 5902, 28673, 16101])
        #expect(syntheticToken(seed: Int.max, index: 1_000_000, vocabSize: 3) < 3)
    }

    @Test func versionIsTheProjects() throws {
        let project = try String(contentsOf: Repository.root.appendingPathComponent("pyproject.toml"), encoding: .utf8)
        #expect(project.contains("\nversion = \"\(harnessVersion)\"\n"))
    }
}
