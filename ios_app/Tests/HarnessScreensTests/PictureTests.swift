import Foundation
import HarnessCore
import Testing

@testable import HarnessScreens

/// Numbers in these pictures are examples that nobody measured, and say so.
private enum Example {
    static var result: Page {
        let runs = (0..<5).flatMap { [run(.deep, 6 + Double($0) * 0.05), run(.wide, 5 + Double($0) * 0.04)] }
        return ResultPage(runs: runs + [run(.wide, 5, ending: .skipped)]).page
    }

    static var notEnough: Page { ResultPage(runs: (0..<3).flatMap { [run(.deep, 6 + Double($0) * 0.05), run(.wide, 5 + Double($0) * 0.05)] }).page }

    static var single: Page { ResultPage(runs: (0..<5).map { run(nil, 6 + Double($0) * 0.05) }).page }

    static func running(_ stage: Stage, contexts: [Int]) -> Page {
        RunningPage.page(
            RunningState(
                title: "deep-30x576 (EXAMPLE)", arm: .deep, stage: stage, done: contexts.count, total: 2,
                conditions: "thermal state nominal, battery 80 %, plugged in", concerns: contexts.isEmpty ? [] : ["charging: the device is plugged in"],
                latencies: contexts.map { StepLatencies(context: $0, forwardNs: latencies(6 * (1 + Double($0) / 4096))) }, place: "run 3 of 10"))
    }

    static var all: [(String, Page)] {
        [
            ("result", result), ("not-enough", notEnough), ("single", single), ("running", running(.decode, contexts: [0, 512])),
            ("running-empty", running(.bandwidth, contexts: [])),
        ]
    }
}

@Suite struct PictureTests {
    /// With DEEPNARROW_PICTURES set, the pictures are written into that folder, to be looked at.
    @Test(arguments: [(390.0, false, 1.0), (390.0, true, 1.0), (320.0, false, 1.4)])
    func everyPageIsDrawn(width: Double, dark: Bool, scale: Double) throws {
        for (name, page) in Example.all {
            let svg = PageSvg(page, width: width, dark: dark, scale: scale).text
            #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>\n") && !svg.contains("nan") && !svg.contains("inf"), "\(name)")
            guard let folder = ProcessInfo.processInfo.environment["DEEPNARROW_PICTURES"] else { continue }
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let file = URL(filePath: folder).appending(path: "\(name)-\(Int(width))\(dark ? "-dark" : "").svg")
            try Data(svg.utf8).write(to: file)
        }
    }

    /// Bars, lines and words stay inside their picture at every width, text size and range of numbers.
    @Test(arguments: [280.0, 390, 800], [1.0, 1.7])
    func nothingIsDrawnOutside(width: Double, scale: Double) {
        for slowest in [0.00004, 0.9, 5, 99.99, 1234] {
            let points = [0, 512, 2048].map { CurvePoint(context: $0, medianNs: slowest * 9e5, lowNs: slowest * 8e5, highNs: slowest * 1e6) }
            let plots: [any Plot] = [
                LatencyStrip(parts: [], arm: nil),
                LatencyStrip(parts: PickModel.contexts.map { StepLatencies(context: $0, forwardNs: latencies(slowest)) }, arm: .wide),
                LatencyStrip(parts: [StepLatencies(context: 0, forwardNs: latencies(slowest)), StepLatencies(context: 512, forwardNs: latencies(slowest))], arm: .deep),
                ContextCurve(curves: [Curve(label: "deep", arm: .deep, points: points), Curve(label: "wide", arm: .wide, points: points)]),
                BandwidthBars(bars: [BandwidthBar(label: "deep", arm: .deep, achievedBytesPerS: slowest * 1e9, ceilingBytesPerS: slowest * 2e9)]),
            ]
            for plot in plots {
                let drawing = plot.drawing(width: width, scale: scale)
                for mark in drawing.marks { #expect(isInside(mark, drawing), "\(mark) in \(width) at \(scale)") }
            }
        }
    }

    @Test(arguments: [200.0, 260, 390]) func aBarsNameAndItsNumbersDoNotMeet(width: Double) {
        let bar = BandwidthBar(label: "deep-30x576", arm: .deep, achievedBytesPerS: 13.1e9, ceilingBytesPerS: 20e9)
        let spans = BandwidthBars(bars: [bar]).drawing(width: width, scale: 1.4).marks.compactMap { mark -> (y: Double, left: Double, right: Double)? in
            guard case .text(let words, let at, let size, _, let anchor, _) = mark else { return nil }
            let wide = TextSize.width(words, size: size)
            return anchor == .end ? (at.y, at.x - wide, at.x) : (at.y, at.x, at.x + wide)
        }
        #expect(spans.count == 2)
        #expect(spans[0].y != spans[1].y || spans[0].right <= spans[1].left)
    }

    @Test func aBarIsAsHighAsItsTokenWasSlow() {
        let drawing = LatencyStrip(parts: [StepLatencies(context: 0, forwardNs: [1_000_000, 2_000_000, 4_000_000])], arm: .wide).drawing(width: 300, scale: 1)
        let heights = drawing.marks.compactMap { mark -> Double? in
            if case .bar(_, _, _, let height, _, let ink) = mark, ink == .wide { height } else { nil }
        }
        #expect(heights.count == 3 && abs(heights[1] / heights[0] - 2) < 1e-9 && abs(heights[2] / heights[0] - 4) < 1e-9)
    }

    @Test func theWideArmIsToldApartWithoutColours() {
        let point = [CurvePoint(context: 0, medianNs: 1e6, lowNs: 1e6, highNs: 1e6), CurvePoint(context: 512, medianNs: 2e6, lowNs: 2e6, highNs: 2e6)]
        let drawing = ContextCurve(curves: [Curve(label: "deep", arm: .deep, points: point), Curve(label: "wide", arm: .wide, points: point)]).drawing(width: 390, scale: 1)
        let dashes = drawing.marks.compactMap { mark -> [Double]? in if case .path(_, _, let dashes, _) = mark { dashes } else { nil } }
        #expect(dashes == [[], [8, 5]])
    }

    @Test func picturesAreDescribedForVoiceOver() {
        #expect(LatencyStrip(parts: [], arm: nil).description == "Latency of each token: none measured yet")
        let bars = BandwidthBars(bars: [BandwidthBar(label: "deep", arm: .deep, achievedBytesPerS: 10e9, ceilingBytesPerS: 20e9)])
        #expect(bars.description == "Memory bandwidth while decoding. deep: 10.0 GB/s of a ceiling of 20.0 GB/s, 50.0 %")
    }

    private func isInside(_ mark: Mark, _ drawing: Drawing) -> Bool {
        func inside(_ left: Double, _ right: Double, _ top: Double, _ bottom: Double) -> Bool {
            left >= -1 && right <= drawing.width + 1 && top >= -1 && bottom <= drawing.height + 1
        }
        switch mark {
        case .bar(let x, let y, let width, let height, _, _): return inside(x, x + width, y, y + height)
        case .line(let from, let to, _, _): return inside(min(from.x, to.x), max(from.x, to.x), min(from.y, to.y), max(from.y, to.y))
        case .path(let points, _, _, _): return points.allSatisfy { inside($0.x, $0.x, $0.y, $0.y) }
        case .dot(let at, let radius, _): return inside(at.x - radius, at.x + radius, at.y - radius, at.y + radius)
        case .text(let words, let at, let size, _, let anchor, _):
            let width = TextSize.width(words, size: size)
            let left = anchor == .start ? at.x : anchor == .middle ? at.x - width / 2 : at.x - width
            return inside(left, left + width, at.y - size, at.y)
        }
    }
}
