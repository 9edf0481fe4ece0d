import Foundation
import HarnessCore
import Testing

/// Every golden file is read and written back; as JSON it must be what it was.
@Suite struct GoldenTests {
    @Test(arguments: ["request.json", "request_minimal.json"])
    func requests(name: String) throws {
        try expectSame(name, Wire.encode(Wire.readRequest(Repository.golden(name))))
    }

    @Test(arguments: ["record_completed.json", "record_failed.json", "record_running.json", "record_skipped.json"])
    func records(name: String) throws {
        try expectSame(name, Wire.encode(Wire.readRecord(Repository.golden(name))))
    }

    @Test func manifest() throws {
        try expectSame("manifest.json", Wire.encode(Wire.readManifest(Repository.golden("manifest.json"))), without: ["quality"])
    }

    @Test func reference() throws {
        try expectSame("reference.json", Wire.encode(Wire.readReference(Repository.golden("reference.json"))))
    }

    @Test func done() throws {
        try expectSame("done.json", Wire.encode(Wire.readDone(Repository.golden("done.json"))))
    }

    /// The defaults of this language are those of the contract.
    @Test func defaultsAreTheContracts() throws {
        #expect(try Wire.readRequest(Repository.golden("request_minimal.json")) == RunRequest(runId: "run-0"))
        let shortest = Data(#"{"run_id": "run-0"}"#.utf8)
        #expect(try Wire.parseRequest(shortest, name: "test") == RunRequest(runId: "run-0"))
    }

    /// `without` are keys that the harness has no use for and does not keep.
    private func expectSame(
        _ name: String, _ written: Data, without: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var golden = try Repository.json(Data(contentsOf: Repository.golden(name))) as! [String: Any]
        for key in without { #expect(golden.removeValue(forKey: key) != nil, "\(name) has no \(key)", sourceLocation: sourceLocation) }
        #expect(try Repository.json(written) == golden as NSDictionary, "\(name) changed", sourceLocation: sourceLocation)
    }
}
