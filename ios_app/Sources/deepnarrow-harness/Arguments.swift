import Foundation
import HarnessCore

/// What was typed after `run`.
struct Arguments {
    private static let needed = ["--artifact", "--request", "--out"]
    private static let known = needed + ["--device-json"]

    let artifact: URL
    let request: URL
    let out: URL
    let deviceJson: URL?

    /// Throws `UserError` for anything unknown, missing or given twice.
    init(_ words: [String]) throws {
        guard words.first == "run" else {
            throw UserError("unknown command '\(words.first ?? "")'; there is: run, --help, --version")
        }
        var values: [String: String] = [:]
        for start in stride(from: 1, to: words.count, by: 2) {
            let name = words[start]
            if !Self.known.contains(name) {
                throw UserError("unknown option '\(name)'; choose from \(Self.known.joined(separator: ", "))")
            }
            if start + 1 == words.count { throw UserError("\(name) needs a value") }
            if values.updateValue(words[start + 1], forKey: name) != nil { throw UserError("\(name) is given twice") }
        }
        if let missing = Self.needed.first(where: { values[$0] == nil }) { throw UserError("\(missing) is missing") }
        artifact = URL(fileURLWithPath: values["--artifact"]!)
        request = URL(fileURLWithPath: values["--request"]!)
        out = URL(fileURLWithPath: values["--out"]!)
        deviceJson = values["--device-json"].map { URL(fileURLWithPath: $0) }
    }
}
