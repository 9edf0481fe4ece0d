import HarnessCore

/// What one arm reads from memory while it decodes, and what the probe found the memory can give.
public struct BandwidthBar: Sendable, Equatable {
    public let label: String
    public let arm: Arm?
    public let achievedBytesPerS: Double
    public let ceilingBytesPerS: Double

    public init(label: String, arm: Arm?, achievedBytesPerS: Double, ceilingBytesPerS: Double) {
        self.label = label
        self.arm = arm
        self.achievedBytesPerS = achievedBytesPerS
        self.ceilingBytesPerS = ceilingBytesPerS
    }
}

/// Achieved bandwidth of each arm against the ceiling of its own runs.
public struct BandwidthBars: Plot {
    static let linesPerBar = 2.7
    let bars: [BandwidthBar]

    public init(bars: [BandwidthBar]) { self.bars = bars }

    public var description: String {
        "Memory bandwidth while decoding. " + bars.map { bar in
            "\(bar.label): \(Format.bandwidth(bar.achievedBytesPerS)) of a ceiling of \(Format.bandwidth(bar.ceilingBytesPerS)), "
                + Format.percent(bar.achievedBytesPerS / bar.ceilingBytesPerS)
        }.joined(separator: ". ")
    }

    public func drawing(width: Double, scale: Double) -> Drawing {
        let text = TextSize(scale: scale)
        let full = bars.flatMap { [$0.achievedBytesPerS, $0.ceilingBytesPerS] }.max() ?? 1
        // Where a label and its numbers are too wide for one line, all numbers get a line of their own.
        let isNarrow = bars.contains { label($0, text) + 12 + TextSize.width(words($0), size: text.label) > width }
        let lines = Self.linesPerBar + (isNarrow ? 1 : 0)
        let marks = bars.enumerated().flatMap { index, bar in
            draw(bar, top: Double(index) * lines * text.line, isNarrow: isNarrow, full: full, width: width, text: text)
        }
        return Drawing(width: width, height: lines * text.line * Double(bars.count), marks: marks)
    }

    private func words(_ bar: BandwidthBar) -> String { "\(Format.bandwidth(bar.achievedBytesPerS)) of \(Format.bandwidth(bar.ceilingBytesPerS))" }

    private func label(_ bar: BandwidthBar, _ text: TextSize) -> Double { TextSize.width(bar.label, size: text.value) }

    private func draw(_ bar: BandwidthBar, top: Double, isNarrow: Bool, full: Double, width: Double, text: TextSize) -> [Mark] {
        let numbers = top + (isNarrow ? 2 : 1) * text.line
        let upper = numbers + 0.35 * text.line
        let height = 0.75 * text.line
        return [
            .text(bar.label, at: Point(0, top + text.line), size: text.value, bold: true, .start, .text),
            .text(words(bar), at: Point(isNarrow ? 0 : width, numbers), size: text.label, bold: false, isNarrow ? .start : .end, .faint),
            .bar(x: 0, y: upper, width: bar.ceilingBytesPerS / full * width, height: height, radius: 4, .line),
            .bar(x: 0, y: upper, width: bar.achievedBytesPerS / full * width, height: height, radius: 4, Ink(bar.arm)),
        ]
    }
}
