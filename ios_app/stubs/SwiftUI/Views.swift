@_exported import CoreTransferable
@_exported import Foundation

@MainActor @preconcurrency public protocol View {  // iOS 13
    associatedtype Body: View  // iOS 13
    @ViewBuilder @MainActor @preconcurrency var body: Body { get }  // iOS 13
}
extension Never: View {  // iOS 13
    public var body: Never { fatalError() }  // iOS 13
}
extension Optional: View where Wrapped: View {  // iOS 13
    public var body: Never { fatalError() }  // iOS 13
}
@MainActor @preconcurrency public protocol Primitive: View where Body == Never {}  // iOS 13
extension Primitive { public var body: Never { fatalError() } }  // iOS 13

@resultBuilder public struct ViewBuilder {  // iOS 13
    public static func buildExpression<Content: View>(_ content: Content) -> Content { content }  // iOS 13
    public static func buildBlock() -> EmptyView { EmptyView() }  // iOS 13
    public static func buildBlock<Content: View>(_ content: Content) -> Content { content }  // iOS 13
    public static func buildBlock<each Content: View>(_ content: repeat each Content) -> TupleView<(repeat each Content)> { TupleView((repeat each content)) }  // iOS 13
    public static func buildIf<Content: View>(_ content: Content?) -> Content? { content }  // iOS 13
    public static func buildEither<First: View, Second: View>(first: First) -> ConditionalContent<First, Second> { fatalError() }  // iOS 13
    public static func buildEither<First: View, Second: View>(second: Second) -> ConditionalContent<First, Second> { fatalError() }  // iOS 13
}
public struct ConditionalContent<First: View, Second: View>: Primitive {}  // iOS 13
public struct EmptyView: Primitive {  // iOS 13
    public nonisolated init() {}  // iOS 13
}
public struct TupleView<T>: Primitive {  // iOS 13
    public nonisolated init(_ value: T) {}  // iOS 13
}
public struct Text: Primitive, Equatable, Sendable {  // iOS 13
    public nonisolated init<S: StringProtocol>(_ content: S) {}  // iOS 13
    public nonisolated func font(_ font: Font?) -> Text { self }  // iOS 13
    public nonisolated func bold() -> Text { self }  // iOS 13
    public nonisolated func foregroundStyle<S: ShapeStyle>(_ style: S) -> Text { self }  // iOS 17
}
public struct Image: Primitive, Sendable {  // iOS 13
    public nonisolated init(systemName: String) {}  // iOS 13
}
public struct Spacer: Primitive {  // iOS 13
    public nonisolated init(minLength: CGFloat? = nil) {}  // iOS 13
}
public struct Button<Label: View>: Primitive {  // iOS 13
    public nonisolated init(action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> Label) {}  // iOS 13
}
extension Button where Label == Text {  // iOS 13
    public nonisolated init<S: StringProtocol>(_ title: S, action: @escaping @MainActor () -> Void) {}  // iOS 13
}
public struct Toggle<Label: View>: Primitive {}  // iOS 13
extension Toggle where Label == Text {  // iOS 13
    public nonisolated init<S: StringProtocol>(_ title: S, isOn: Binding<Bool>) {}  // iOS 13
}
public struct Stepper<Label: View>: Primitive {}  // iOS 13
extension Stepper where Label == Text {  // iOS 13
    public nonisolated init<S: StringProtocol, V: Strideable>(_ title: S, value: Binding<V>, in bounds: ClosedRange<V>, step: V.Stride = 1) {}  // iOS 13
}
public struct Picker<Label: View, Selection: Hashable, Content: View>: Primitive {}  // iOS 13
extension Picker where Label == Text {  // iOS 13
    public nonisolated init<S: StringProtocol>(_ title: S, selection: Binding<Selection>, @ViewBuilder content: () -> Content) {}  // iOS 13
}
public struct ProgressView<Label: View>: Primitive {}  // iOS 14
extension ProgressView where Label == EmptyView {  // iOS 14
    public nonisolated init<V: BinaryFloatingPoint>(value: V?, total: V = 1.0) {}  // iOS 14
}
public struct ShareLink<Item: Transferable, Label: View>: Primitive {  // iOS 16
    public nonisolated init(item: URL, @ViewBuilder label: () -> Label) where Item == URL {}  // iOS 16
    public nonisolated init(item: Item, preview: SharePreview, @ViewBuilder label: () -> Label) {}  // iOS 16
}
public struct SharePreview {  // iOS 16
    public nonisolated init<S: StringProtocol>(_ title: S) {}  // iOS 16
}
