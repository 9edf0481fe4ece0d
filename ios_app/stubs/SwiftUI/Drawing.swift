public protocol ShapeStyle: Sendable {}  // iOS 13
public struct Color: ShapeStyle, Hashable, Primitive {  // iOS 13
    public nonisolated init(red: Double, green: Double, blue: Double) {}  // iOS 13
    public static var red: Color { fatalError() }  // iOS 13
}
extension ShapeStyle where Self == Color {  // iOS 13
    public static var red: Color { fatalError() }  // iOS 13
}
@MainActor @preconcurrency public protocol Shape: Primitive, Sendable {}  // iOS 13
extension Shape {  // iOS 13
    public nonisolated func stroke<S: ShapeStyle>(_ content: S, lineWidth: CGFloat = 1) -> some View { EmptyView() }  // iOS 13
}
@MainActor @preconcurrency public protocol InsettableShape: Shape {}  // iOS 13
public struct Capsule: InsettableShape {  // iOS 13
    public nonisolated init() {}  // iOS 13
}
public struct RoundedRectangle: InsettableShape {  // iOS 13
    public nonisolated init(cornerRadius: CGFloat) {}  // iOS 13
}
public struct Path: Shape {  // iOS 13
    public nonisolated init() {}  // iOS 13
    public nonisolated init(roundedRect rect: CGRect, cornerRadius: CGFloat) {}  // iOS 13
    public nonisolated init(ellipseIn rect: CGRect) {}  // iOS 13
    public nonisolated mutating func addLines(_ lines: [CGPoint]) {}  // iOS 13
}
public struct StrokeStyle: Sendable {  // iOS 13
    public nonisolated init(lineWidth: CGFloat = 1, dash: [CGFloat] = []) {}  // iOS 13
}
public struct UnitPoint: Hashable, Sendable {  // iOS 13
    public static let topLeading = UnitPoint()  // iOS 13
}
public struct Font: Hashable, Sendable {  // iOS 13
    public static let largeTitle = Font()  // iOS 13
    public static let headline = Font()  // iOS 13
    public static let subheadline = Font()  // iOS 13
    public static let footnote = Font()  // iOS 13
    public static let caption = Font()  // iOS 13
    public static func system(size: CGFloat, weight: Weight? = nil) -> Font { Font() }  // iOS 16
    public enum Weight: Sendable { case regular, bold }  // iOS 13
    public enum TextStyle: Sendable { case body }  // iOS 13
}
public struct Canvas<Symbols: View>: Primitive {}  // iOS 15
extension Canvas where Symbols == EmptyView {  // iOS 15
    public nonisolated init(renderer: @escaping (inout GraphicsContext, CGSize) -> Void) {}  // iOS 15
}
public struct GraphicsContext {  // iOS 15
    public struct Shading: Sendable {  // iOS 15
        public static func color(_ color: Color) -> Shading { Shading() }  // iOS 15
    }
    public struct ResolvedText {  // iOS 15
        public func measure(in size: CGSize) -> CGSize { size }  // iOS 15
        public func firstBaseline(in size: CGSize) -> CGFloat { 0 }  // iOS 15
    }
    public func fill(_ path: Path, with shading: Shading) {}  // iOS 15
    public func stroke(_ path: Path, with shading: Shading, style: StrokeStyle) {}  // iOS 15
    public func resolve(_ text: Text) -> ResolvedText { ResolvedText() }  // iOS 15
    public func draw(_ text: ResolvedText, at point: CGPoint, anchor: UnitPoint) {}  // iOS 15
}
public struct GeometryProxy {  // iOS 13
    public var size: CGSize { fatalError() }  // iOS 13
}
