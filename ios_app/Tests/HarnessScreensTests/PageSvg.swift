import Foundation

@testable import HarnessScreens

/// Writes a page as SVG, with the marks that the app draws and a plain layout of its own for text and cards.
struct PageSvg {
    /// Fonts that a browser takes in Helvetica's place may be this much wider.
    private static let widest = 1.2
    let width: Double
    let dark: Bool
    let scale: Double
    private var body = ""
    private var y = 0.0

    init(_ page: Page, width: Double, dark: Bool = false, scale: Double = 1) {
        self.width = width
        self.dark = dark
        self.scale = scale
        y = 16
        paragraph(page.title, size: 24, bold: true, ink: .text, left: 16, right: 16)
        if let alert = page.alert { paragraph(alert, size: 14, ink: .bad, left: 16, right: 16) }
        if let subtitle = page.subtitle { paragraph(subtitle, size: 13, ink: .faint, left: 16, right: 16) }
        for card in page.cards { draw(card) }
    }

    var text: String {
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(f(width))\" height=\"\(f(y + 16))\" font-family=\"Helvetica, Arial, sans-serif\">"
            + "<rect width=\"100%\" height=\"100%\" fill=\"\(color(.background))\"/>\(body)</svg>\n"
    }

    private mutating func draw(_ card: Card) {
        y += 12
        let top = y
        let before = body
        body = ""
        y += 14
        let badgeWidth = card.badge.map { Self.widest * TextSize.width($0.text, size: 12 * scale) + 24 } ?? 0
        let line = y
        paragraph(card.heading, size: 16, bold: true, ink: .text, left: 30, right: 30 + badgeWidth)
        if let badge = card.badge { draw(badge, x: width - 30 - badgeWidth + 4, y: line) }
        for block in card.blocks { draw(block) }
        y += 14
        let frame = "<rect x=\"16\" y=\"\(f(top))\" width=\"\(f(width - 32))\" height=\"\(f(y - top))\" rx=\"14\" fill=\"\(color(.card))\" stroke=\"\(color(.line))\"/>"
        body = before + frame + body
    }

    private mutating func draw(_ block: Block) {
        y += 4
        switch block {
        case .figure(let text, _): paragraph(text, size: 32, bold: true, ink: .text, left: 30, right: 30)
        case .body(let text, let tone): paragraph(text, size: 14, ink: tone.ink, left: 30, right: 30)
        case .note(let text): paragraph(text, size: 13, ink: .faint, left: 30, right: 30)
        case .badge(let badge):
            draw(badge, x: 30, y: y)
            y += 26 * scale
        case .progress(let done, let total): progress(Double(done) / Double(max(1, total)))
        case .plot(let plot):
            let drawing = plot.drawing(width: width - 60, scale: scale)
            body += "<g transform=\"translate(30 \(f(y)))\">" + drawing.marks.map(svg).joined() + "</g>"
            y += drawing.height
        case .run(let row):
            paragraph(row.title, size: 14, ink: .text, left: 30, right: 90)
            paragraph(row.detail, size: 12, ink: row.usable ? .faint : .bad, left: 30, right: 90)
        }
    }

    private mutating func progress(_ share: Double) {
        body += "<rect x=\"30\" y=\"\(f(y + 4))\" width=\"\(f(width - 60))\" height=\"4\" rx=\"2\" fill=\"\(color(.line))\"/>"
        body += "<rect x=\"30\" y=\"\(f(y + 4))\" width=\"\(f((width - 60) * share))\" height=\"4\" rx=\"2\" fill=\"\(color(.deep))\"/>"
        y += 12
    }

    private mutating func draw(_ badge: Badge, x: Double, y: Double) {
        let wide = Self.widest * TextSize.width(badge.text, size: 12 * scale) + 20
        let ink = color(badge.tone.ink)
        body += "<rect x=\"\(f(x))\" y=\"\(f(y))\" width=\"\(f(wide))\" height=\"\(f(22 * scale))\" rx=\"\(f(11 * scale))\" fill=\"none\" stroke=\"\(ink)\"/>"
        body += svg(.text(badge.text, at: Point(x + 10, y + 15 * scale), size: 12 * scale, bold: true, .start, badge.tone.ink))
    }

    private mutating func paragraph(_ text: String, size: Double, bold: Bool = false, ink: Ink, left: Double, right: Double) {
        for line in wrapped(text, size: size * scale, limit: width - left - right) {
            y += size * scale * 1.3
            body += svg(.text(line, at: Point(left, y - size * scale * 0.3), size: size * scale, bold: bold, .start, ink))
        }
    }

    private func wrapped(_ text: String, size: Double, limit: Double) -> [String] {
        text.split(separator: " ").map(String.init).reduce(into: [String]()) { lines, word in
            if let last = lines.last, Self.widest * TextSize.width(last + " " + word, size: size) <= limit { lines[lines.count - 1] = last + " " + word }
            else { lines.append(word) }
        }
    }

    private func svg(_ mark: Mark) -> String {
        switch mark {
        case .bar(let x, let y, let width, let height, let radius, let ink):
            "<rect x=\"\(f(x))\" y=\"\(f(y))\" width=\"\(f(width))\" height=\"\(f(height))\" rx=\"\(f(radius))\" fill=\"\(color(ink))\"/>"
        case .line(let from, let to, let width, let ink):
            "<line x1=\"\(f(from.x))\" y1=\"\(f(from.y))\" x2=\"\(f(to.x))\" y2=\"\(f(to.y))\" stroke=\"\(color(ink))\" stroke-width=\"\(f(width))\"/>"
        case .path(let points, let width, let dashes, let ink):
            "<polyline points=\"\(points.map { "\(f($0.x)),\(f($0.y))" }.joined(separator: " "))\" fill=\"none\" stroke=\"\(color(ink))\" "
                + "stroke-width=\"\(f(width))\" stroke-dasharray=\"\(dashes.map(f).joined(separator: " "))\"/>"
        case .dot(let at, let radius, let ink): "<circle cx=\"\(f(at.x))\" cy=\"\(f(at.y))\" r=\"\(f(radius))\" fill=\"\(color(ink))\"/>"
        case .text(let words, let at, let size, let bold, let anchor, let ink):
            "<text x=\"\(f(at.x))\" y=\"\(f(at.y))\" font-size=\"\(f(size))\" font-weight=\"\(bold ? 700 : 400)\" text-anchor=\"\(anchor.rawValue)\" "
                + "fill=\"\(color(ink))\">\(escaped(words))</text>"
        }
    }

    private func color(_ ink: Ink) -> String {
        let rgb = Palette.rgb(ink, dark: dark)
        return "rgb(\(Int(rgb.red)),\(Int(rgb.green)),\(Int(rgb.blue)))"
    }

    private func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    }

    private func f(_ value: Double) -> String { String(format: "%.1f", value) }
}
