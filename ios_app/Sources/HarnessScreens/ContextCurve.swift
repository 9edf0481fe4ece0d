import HarnessCore

/// Median latency at one context, and the fastest and slowest run's median.
public struct CurvePoint: Sendable, Equatable {
    public let context: Int
    public let medianNs: Double
    public let lowNs: Double
    public let highNs: Double

    public init(context: Int, medianNs: Double, lowNs: Double, highNs: Double) {
        self.context = context
        self.medianNs = medianNs
        self.lowNs = lowNs
        self.highNs = highNs
    }
}

/// The line of one arm; wide is dashed, so that it can be told apart without colours.
public struct Curve: Sendable, Equatable {
    public let label: String
    public let arm: Arm?
    public let points: [CurvePoint]

    public init(label: String, arm: Arm?, points: [CurvePoint]) {
        self.label = label
        self.arm = arm
        self.points = points
    }
}

/// Latency against the length of the context: where the lines part, the cache costs more than the weights.
public struct ContextCurve: Plot {
    let curves: [Curve]

    public init(curves: [Curve]) { self.curves = curves.filter { !$0.points.isEmpty } }

    public var description: String {
        "Latency against context. " + curves.map { curve in
            curve.label + ": " + curve.points.map { "\(Format.milliseconds($0.medianNs)) at position \($0.context)" }.joined(separator: ", ")
        }.joined(separator: ". ")
    }

    public func drawing(width: Double, scale: Double) -> Drawing {
        let text = TextSize(scale: scale)
        let height = 11 * text.line
        guard let slowest = curves.flatMap(\.points).map(\.highNs).max().map({ $0 / 1e6 }) else { return Drawing(width: width, height: 0) }
        let step = Scale.step(slowest, parts: 4)
        let top = Scale.roundUp(slowest, step)
        let upper = 2.2 * text.line
        let lower = height - 2.3 * text.line
        let rules = Rules(top: top, step: step, upper: upper, lower: lower, width: width, text: text)
        let last = max(1, curves.flatMap(\.points).map(\.context).max()!)
        let frame = Frame(
            left: rules.left + 10, right: width - max(16, TextSize.width("\(last)", size: text.label) / 2), upper: upper, lower: lower, top: top,
            last: last)
        let marks = legend(width, text) + rules.marks + axis(frame, width, text) + curves.flatMap { draw($0, frame) }
        return Drawing(width: width, height: height, marks: marks)
    }

    /// Where values lie in the picture.
    private struct Frame {
        let left: Double, right: Double, upper: Double, lower: Double, top: Double
        let last: Int

        func x(_ context: Int) -> Double { left + (right - left) * Double(context) / Double(last) }

        func y(_ ns: Double) -> Double { lower - ns / 1e6 / top * (lower - upper) }
    }

    private func legend(_ width: Double, _ text: TextSize) -> [Mark] {
        var marks = [Mark]()
        var x = 0.0
        for curve in curves {
            marks.append(.dot(at: Point(x + 5, text.line * 0.7), radius: 5, Ink(curve.arm)))
            marks.append(.text(curve.label, at: Point(x + 15, text.line), size: text.value, bold: true, .start, .text))
            x += 31 + TextSize.width(curve.label, size: text.value)
        }
        let unit = "ms per token"
        if x + TextSize.width(unit, size: text.label) < width {
            marks.append(.text(unit, at: Point(width, text.line), size: text.label, bold: false, .end, .faint))
        }
        return marks
    }

    private func axis(_ frame: Frame, _ width: Double, _ text: TextSize) -> [Mark] {
        var marks = [Mark]()
        var free = -Double.infinity
        for context in Set(curves.flatMap(\.points).map(\.context)).sorted() {
            let half = TextSize.width("\(context)", size: text.label) / 2
            guard frame.x(context) - half >= free else { continue }
            marks.append(.text("\(context)", at: Point(frame.x(context), frame.lower + text.line), size: text.label, bold: false, .middle, .faint))
            free = frame.x(context) + half + 8
        }
        let titles = ["tokens already in the context", "tokens in context"]
        let fitting = titles.first { TextSize.width($0, size: text.label) <= width } ?? titles[1]
        let title: Mark = .text(
            fitting, at: Point(width / 2, frame.lower + 2 * text.line), size: text.label, bold: false, .middle, .faint)
        return marks + [title]
    }

    private func draw(_ curve: Curve, _ frame: Frame) -> [Mark] {
        let ink = Ink(curve.arm)
        let line: Mark = .path(
            curve.points.map { Point(frame.x($0.context), frame.y($0.medianNs)) }, width: 2.5, dashes: curve.arm == .wide ? [8, 5] : [], ink)
        return [line] + curve.points.flatMap { point -> [Mark] in
            let x = frame.x(point.context)
            return [
                .line(from: Point(x, frame.y(point.lowNs)), to: Point(x, frame.y(point.highNs)), width: 2.5, ink),
                .dot(at: Point(x, frame.y(point.medianNs)), radius: 4, ink),
            ]
        }
    }
}
