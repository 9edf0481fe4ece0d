import Foundation
import HarnessCore
import Testing

/// `comparison_keys.json`: merge patches (RFC 7396) on record_completed.json with the key that each must give.
@Suite struct ComparisonKeyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let record: Data
        /// Nil where there is no key.
        let key: Data?

        var testDescription: String { name }
    }

    static let cases: [Case] = {
        let record = json("record_completed.json") as! [String: Any]
        return (json("comparison_keys.json") as! [[String: Any]]).map { one in
            let patched = merge(one["patch"]!, into: record)
            let key = one["key"] as? [String: Any]
            return Case(name: one["name"] as! String, record: data(patched), key: key.map(data))
        }
    }()

    @Test(arguments: cases)
    func key(of one: Case) throws {
        let key = ComparisonKey(try Wire.parseRecord(one.record, name: one.name))
        guard let expected = one.key else {
            #expect(key == nil)
            return
        }
        #expect(try Repository.json(Wire.encode(key)) == Repository.json(expected))
    }

    @Test func thereAreCases() { #expect(Self.cases.count > 20) }

    /// Another network in the same setup may be compared; conditions also leave the campaign out.
    @Test func setupAndConditions() throws {
        let record = try Wire.readRecord(Repository.golden("record_completed.json"))
        var other = record
        other.artifact!.contentId = "another"
        #expect(ComparisonKey(other) != ComparisonKey(record))
        #expect(ComparisonKey(other)?.setup == ComparisonKey(record)?.setup)
        other.request.plan!.campaign = "later"
        #expect(ComparisonKey(other)?.setup != ComparisonKey(record)?.setup)
        #expect(ComparisonKey(other)?.conditions == ComparisonKey(record)?.conditions)
    }

    private static func json(_ name: String) -> Any {
        try! JSONSerialization.jsonObject(with: Data(contentsOf: Repository.golden(name)))
    }

    private static func data(_ value: Any) -> Data { try! JSONSerialization.data(withJSONObject: value) }

    private static func merge(_ patch: Any, into target: Any) -> Any {
        guard let patch = patch as? [String: Any] else { return patch }
        var merged = target as? [String: Any] ?? [:]
        for (key, value) in patch {
            // A record keeps its keys: null stands for "null" here, not for "remove".
            merged[key] = value is NSNull ? value : merge(value, into: merged[key] ?? [:])
        }
        return merged
    }
}
