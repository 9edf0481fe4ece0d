#if canImport(SwiftUI)
    import HarnessScreens
    import SwiftUI

    /// Draws the marks of a picture as they are; all geometry is in `HarnessScreens`.
    struct PlotView: View {
        let plot: any Plot
        @Environment(\.colorScheme) private var scheme
        @ScaledMetric(relativeTo: .body) private var scale = 1.0
        @State private var width = 0.0

        var body: some View {
            let drawing = plot.drawing(width: max(width, 1), scale: scale)
            Canvas { context, _ in
                for mark in drawing.marks { draw(mark, in: context) }
            }
            .frame(height: drawing.height)
            .onGeometryChange(for: Double.self) { Double($0.size.width) } action: { width = $0 }
            .accessibilityElement()
            .accessibilityLabel(plot.description)
        }

        private func draw(_ mark: Mark, in context: GraphicsContext) {
            switch mark {
            case .bar(let x, let y, let width, let height, let radius, let ink):
                let shape = Path(roundedRect: CGRect(x: x, y: y, width: width, height: height), cornerRadius: radius)
                context.fill(shape, with: .color(ink.color(scheme)))
            case .line(let from, let to, let width, let ink):
                stroke([from, to], width, [], ink, in: context)
            case .path(let points, let width, let dashes, let ink):
                stroke(points, width, dashes, ink, in: context)
            case .dot(let at, let radius, let ink):
                let circle = Path(ellipseIn: CGRect(x: at.x - radius, y: at.y - radius, width: 2 * radius, height: 2 * radius))
                context.fill(circle, with: .color(ink.color(scheme)))
            case .text(let words, let at, let size, let bold, let anchor, let ink):
                let text = Text(words).font(.system(size: size, weight: bold ? .bold : .regular)).foregroundStyle(ink.color(scheme))
                let resolved = context.resolve(text)
                let limits = CGSize(width: CGFloat.infinity, height: .infinity)
                let measured = resolved.measure(in: limits)
                let left = anchor == .start ? at.x : anchor == .middle ? at.x - measured.width / 2 : at.x - measured.width
                context.draw(resolved, at: CGPoint(x: left, y: at.y - resolved.firstBaseline(in: limits)), anchor: .topLeading)
            }
        }

        private func stroke(_ points: [HarnessScreens.Point], _ width: Double, _ dashes: [Double], _ ink: Ink, in context: GraphicsContext) {
            var path = Path()
            path.addLines(points.map { CGPoint(x: $0.x, y: $0.y) })
            let style = StrokeStyle(lineWidth: width, dash: dashes.map { CGFloat($0) })
            context.stroke(path, with: .color(ink.color(scheme)), style: style)
        }
    }
#endif
