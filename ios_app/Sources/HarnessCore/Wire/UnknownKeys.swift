import Foundation

/// Keys of a document that the type it was read as does not have: those that are not there when it is written again.
enum UnknownKeys {
    /// The first one, with the keys there are; nil if all are known. Both are JSON objects.
    static func first(in given: Data, notIn written: Data) throws -> String? {
        let options = JSONSerialization.ReadingOptions.fragmentsAllowed
        return compare(
            try JSONSerialization.jsonObject(with: given, options: options), try JSONSerialization.jsonObject(with: written, options: options), [])
    }

    private static func compare(_ given: Any, _ written: Any, _ path: [String]) -> String? {
        if let given = given as? [String: Any], let written = written as? [String: Any] { return compare(given, written, path) }
        guard let given = given as? [Any], let written = written as? [Any] else { return nil }
        if given.first is NSNumber { return nil }
        for (index, pair) in zip(given, written).enumerated() {
            if let problem = compare(pair.0, pair.1, path + ["\(index)"]) { return problem }
        }
        return nil
    }

    private static func compare(_ given: [String: Any], _ written: [String: Any], _ path: [String]) -> String? {
        for key in given.keys.sorted() {
            guard let known = written[key] else {
                let name = (path + [key]).joined(separator: ".")
                return "\(name.prefix(120)): unknown key; there are \(written.keys.sorted().joined(separator: ", "))"
            }
            if let problem = compare(given[key]!, known, path + [key]) { return problem }
        }
        return nil
    }
}
