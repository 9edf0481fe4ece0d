public enum HorizontalAlignment: Sendable { case leading, center, trailing }  // iOS 13
public enum VerticalAlignment: Sendable { case top, center, bottom }  // iOS 13
public enum Alignment: Sendable { case leading, center }  // iOS 13
public struct VStack<Content: View>: Primitive {  // iOS 13
    public nonisolated init(alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {}  // iOS 13
}
public struct HStack<Content: View>: Primitive {  // iOS 13
    public nonisolated init(alignment: VerticalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {}  // iOS 13
}
public struct ScrollView<Content: View>: Primitive {  // iOS 13
    public nonisolated init(@ViewBuilder content: () -> Content) {}  // iOS 13
}
public struct List<Content: View>: Primitive {  // iOS 13
    public nonisolated init(@ViewBuilder content: () -> Content) {}  // iOS 13
}
public struct Section<Parent: View, Content: View>: Primitive {}  // iOS 13
extension Section where Parent == EmptyView {  // iOS 13
    public nonisolated init(@ViewBuilder content: () -> Content) {}  // iOS 13
}
extension Section where Parent == Text {  // iOS 15
    public nonisolated init<S: StringProtocol>(_ title: S, @ViewBuilder content: () -> Content) {}  // iOS 15
}
public struct NavigationStack<Root: View>: Primitive {  // iOS 16
    public nonisolated init(@ViewBuilder root: () -> Root) {}  // iOS 16
}
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content: View>: Primitive {  // iOS 13
    public nonisolated init(_ data: Data, id: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> Content) {}  // iOS 13
}
extension ForEach where ID == Data.Element.ID, Data.Element: Identifiable {  // iOS 13
    public nonisolated init(_ data: Data, @ViewBuilder content: @escaping (Data.Element) -> Content) {}  // iOS 13
}
@MainActor @preconcurrency public protocol Scene {  // iOS 14
    associatedtype Body: Scene  // iOS 14
    @SceneBuilder @MainActor @preconcurrency var body: Body { get }  // iOS 14
}
extension Never: Scene {}  // iOS 14
@resultBuilder public struct SceneBuilder {  // iOS 14
    public static func buildBlock<Content: Scene>(_ content: Content) -> Content { content }  // iOS 14
}
public struct WindowGroup<Content: View>: Scene {  // iOS 14
    public nonisolated init(@ViewBuilder content: @escaping () -> Content) {}  // iOS 14
    public var body: Never { fatalError() }  // iOS 14
}
@MainActor @preconcurrency public protocol App {  // iOS 14
    associatedtype Body: Scene  // iOS 14
    @SceneBuilder @MainActor @preconcurrency var body: Body { get }  // iOS 14
    @MainActor @preconcurrency init()  // iOS 14
}
extension App { @MainActor @preconcurrency public static func main() { fatalError() } }  // iOS 14
