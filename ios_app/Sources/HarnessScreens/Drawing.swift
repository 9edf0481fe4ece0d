/// A colour by its meaning; each theme and each renderer has its own value for it.
public enum Ink: String, Sendable, CaseIterable {
    case background, card, line, text, faint, deep, wide, good, warning, bad
}

/// A place in points, from the upper left corner.
public struct Point: Sendable, Equatable {
    public var x: Double
    public var y: Double

    public init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }
}

/// Where a text's `at` lies in it: its baseline starts, is centred or ends there.
public enum Anchor: String, Sendable { case start, middle, end }

/// One thing to draw. A picture is a list of marks: the app draws it on a canvas, `screen-pictures` writes it as SVG.
public enum Mark: Sendable, Equatable {
    case bar(x: Double, y: Double, width: Double, height: Double, radius: Double, Ink)
    case line(from: Point, to: Point, width: Double, Ink)
    case path([Point], width: Double, dashes: [Double], Ink)
    case dot(at: Point, radius: Double, Ink)
    case text(String, at: Point, size: Double, bold: Bool, Anchor, Ink)
}

/// A picture of a given size.
public struct Drawing: Sendable, Equatable {
    public var width: Double
    public var height: Double
    public var marks: [Mark]

    public init(width: Double, height: Double, marks: [Mark] = []) {
        self.width = width
        self.height = height
        self.marks = marks
    }
}

/// A picture that fits itself to a width and to the user's text size.
public protocol Plot: Sendable {
    /// For VoiceOver: what the picture shows, with its numbers.
    var description: String { get }

    /// `scale` is the user's text size, 1 by default.
    func drawing(width: Double, scale: Double) -> Drawing
}

/// Sizes of text in pictures, in points.
struct TextSize {
    let scale: Double
    var label: Double { 12 * scale }
    var value: Double { 13 * scale }
    var line: Double { 18 * scale }

    /// An estimate from the widths of Helvetica's letters, a little generous: geometry must not depend on a renderer.
    static func width(_ text: String, size: Double) -> Double {
        text.unicodeScalars.reduce(0) { $0 + letterWidth($1) } * size
    }

    private static func letterWidth(_ letter: Unicode.Scalar) -> Double {
        switch letter {
        case "i", "j", "l", ".", ",", ":", ";", "'", "|", "!": 0.28
        case " ", "f", "t", "r", "/", "-", "(", ")", "I": 0.34
        case "m", "w", "M", "W", "%", "@": 0.9
        case "A"..."Z": 0.7
        default: 0.57
        }
    }
}

/// Round values for axes.
enum Scale {
    /// A round step that cuts 0...max into about `parts`.
    static func step(_ max: Double, parts: Int) -> Double {
        guard max > 0 else { return 1 }
        let raw = max / Double(parts)
        var power = 1.0
        while power > raw { power /= 10 }
        while power * 10 <= raw { power *= 10 }
        return [1, 2, 5, 10].first { $0 * power >= raw - 1e-12 }! * power
    }

    static func roundUp(_ max: Double, _ step: Double) -> Double {
        guard max > 0 else { return step }
        return (max / step - 1e-9).rounded(.up) * step
    }
}

/// Horizontal rules with labels at round values from 0 to `top`.
struct Rules {
    let left: Double
    let marks: [Mark]

    init(top: Double, step: Double, upper: Double, lower: Double, width: Double, text: TextSize) {
        let ticks = (0...Int((top / step).rounded())).map { Double($0) * step }
        let labels = ticks.map { Format.tick($0, step: step) }
        let left = labels.map { TextSize.width($0, size: text.label) }.max()! + 8
        self.left = left
        marks = zip(ticks, labels).flatMap { tick, label -> [Mark] in
            let y = lower - tick / top * (lower - upper)
            return [
                .line(from: Point(left, y), to: Point(width, y), width: 1, .line),
                .text(label, at: Point(left - 8, y + text.label / 3), size: text.label, bold: false, .end, .faint),
            ]
        }
    }
}
