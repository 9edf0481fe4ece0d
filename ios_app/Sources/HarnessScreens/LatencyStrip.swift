import HarnessCore

/// Timed steps that all began at `context`, in their order.
public struct StepLatencies: Sendable, Equatable {
    public let context: Int
    public let forwardNs: [Int]

    public init(context: Int, forwardNs: [Int]) {
        self.context = context
        self.forwardNs = forwardNs
    }
}

/// Every timed token as one bar, context after context. It gets a new context only when that one is over: nothing is drawn while tokens are timed.
public struct LatencyStrip: Plot {
    static let empty = "no token timed yet"
    let parts: [StepLatencies]
    let arm: Arm?

    public init(parts: [StepLatencies], arm: Arm?) {
        self.parts = parts.filter { !$0.forwardNs.isEmpty }
        self.arm = arm
    }

    public var description: String {
        if parts.isEmpty { return "Latency of each token: none measured yet" }
        return "Latency of each token. " + parts.map { part in
            "From position \(part.context): \(part.forwardNs.count) tokens, median \(Format.milliseconds(Statistics.median(part.forwardNs))), "
                + "slowest \(Format.milliseconds(Double(part.forwardNs.max()!)))"
        }.joined(separator: ". ")
    }

    public func drawing(width: Double, scale: Double) -> Drawing {
        let text = TextSize(scale: scale)
        let height = 9 * text.line
        guard let slowest = parts.flatMap(\.forwardNs).max().map({ Double($0) / 1e6 }) else {
            let words: Mark = .text(Self.empty, at: Point(0, height / 2), size: text.label, bold: false, .start, .faint)
            return Drawing(width: width, height: height, marks: [words])
        }
        let step = Scale.step(slowest, parts: 3)
        let top = Scale.roundUp(slowest, step)
        let upper = text.line + text.label / 2
        let lower = height - 1.6 * text.line
        let rules = Rules(top: top, step: step, upper: upper, lower: lower, width: width, text: text)
        let unit: Mark = .text("ms per token", at: Point(0, text.label), size: text.label, bold: false, .start, .faint)
        return Drawing(width: width, height: height, marks: [unit] + rules.marks + bars(left: rules.left, upper, lower, top, width, text))
    }

    private func bars(left: Double, _ upper: Double, _ lower: Double, _ top: Double, _ width: Double, _ text: TextSize) -> [Mark] {
        let gap = 10.0
        let count = parts.reduce(0) { $0 + $1.forwardNs.count }
        let slot = (width - left - gap * Double(parts.count - 1)) / Double(count)
        var marks = [Mark]()
        var x = left
        var free = left
        for part in parts {
            let label = "from \(part.context)", end = x + TextSize.width(label, size: text.label)
            if x >= free && end <= width {
                marks.append(.text(label, at: Point(x, lower + text.line), size: text.label, bold: false, .start, .faint))
                free = end + 8
            }
            for ns in part.forwardNs {
                let height = Double(ns) / 1e6 / top * (lower - upper)
                marks.append(.bar(x: x, y: lower - height, width: slot * 0.8, height: height, radius: 0, Ink(arm)))
                x += slot
            }
            x += gap
        }
        return marks
    }
}

extension Ink {
    /// Deep is blue and wide is orange on every screen; a single artifact without an arm is drawn like deep.
    public init(_ arm: Arm?) { self = arm == .wide ? .wide : .deep }
}
