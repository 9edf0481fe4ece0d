import UniformTypeIdentifiers

public enum Edge: Sendable {  // iOS 13
    public struct Set: OptionSet, Sendable {  // iOS 13
        public let rawValue: Int8  // iOS 13
        public init(rawValue: Int8) { self.rawValue = rawValue }  // iOS 13
        public static let all = Set(rawValue: 15)  // iOS 13
        public static let horizontal = Set(rawValue: 10)  // iOS 13
        public static let vertical = Set(rawValue: 5)  // iOS 13
    }
}
public struct AccessibilityTraits: SetAlgebra, Sendable, Hashable {  // iOS 13
    public static let isHeader = AccessibilityTraits()  // iOS 13
    public static let isSelected = AccessibilityTraits()  // iOS 13
    public init() {}  // iOS 13
    public func contains(_ member: AccessibilityTraits) -> Bool { fatalError() }  // iOS 13
    public func union(_ other: AccessibilityTraits) -> AccessibilityTraits { fatalError() }  // iOS 13
    public func intersection(_ other: AccessibilityTraits) -> AccessibilityTraits { fatalError() }  // iOS 13
    public func symmetricDifference(_ other: AccessibilityTraits) -> AccessibilityTraits { fatalError() }  // iOS 13
    public mutating func insert(_ new: AccessibilityTraits) -> (inserted: Bool, memberAfterInsert: AccessibilityTraits) { fatalError() }  // iOS 13
    public mutating func remove(_ member: AccessibilityTraits) -> AccessibilityTraits? { fatalError() }  // iOS 13
    public mutating func update(with new: AccessibilityTraits) -> AccessibilityTraits? { fatalError() }  // iOS 13
    public mutating func formUnion(_ other: AccessibilityTraits) {}  // iOS 13
    public mutating func formIntersection(_ other: AccessibilityTraits) {}  // iOS 13
    public mutating func formSymmetricDifference(_ other: AccessibilityTraits) {}  // iOS 13
}
public struct Animation: Sendable {}  // iOS 13
public struct Transaction {  // iOS 13
    public var animation: Animation?  // iOS 13
}

public protocol TextSelectabilityStyle {}  // iOS 15
public struct EnabledTextSelectability: TextSelectabilityStyle {}  // iOS 15
extension TextSelectabilityStyle where Self == EnabledTextSelectability {  // iOS 15
    public static var enabled: EnabledTextSelectability { fatalError() }  // iOS 15
}
extension View {  // iOS 13
    public nonisolated func font(_ font: Font?) -> some View { EmptyView() }  // iOS 13
    public nonisolated func bold(_ isActive: Bool = true) -> some View { EmptyView() }  // iOS 16
    public nonisolated func foregroundStyle<S: ShapeStyle>(_ style: S) -> some View { EmptyView() }  // iOS 15
    public nonisolated func padding(_ length: CGFloat) -> some View { EmptyView() }  // iOS 13
    public nonisolated func padding(_ edges: Edge.Set = .all, _ length: CGFloat? = nil) -> some View { EmptyView() }  // iOS 13
    public nonisolated func frame(width: CGFloat? = nil, height: CGFloat? = nil) -> some View { EmptyView() }  // iOS 13
    public nonisolated func frame(maxWidth: CGFloat? = nil, alignment: Alignment = .center) -> some View { EmptyView() }  // iOS 13
    public nonisolated func background<S: ShapeStyle>(_ style: S) -> some View { EmptyView() }  // iOS 15
    public nonisolated func background<S: ShapeStyle, T: InsettableShape>(_ style: S, in shape: T) -> some View { EmptyView() }  // iOS 15
    public nonisolated func overlay<V: View>(@ViewBuilder content: () -> V) -> some View { EmptyView() }  // iOS 15
    public nonisolated func tag<V: Hashable>(_ tag: V) -> some View { EmptyView() }  // iOS 13
    public nonisolated func disabled(_ disabled: Bool) -> some View { EmptyView() }  // iOS 13
    public nonisolated func transaction(_ transform: @escaping (inout Transaction) -> Void) -> some View { EmptyView() }  // iOS 13
    public nonisolated func textSelection<S: TextSelectabilityStyle>(_ selectability: S) -> some View { EmptyView() }  // iOS 15
    public nonisolated func navigationTitle<S: StringProtocol>(_ title: S) -> some View { EmptyView() }  // iOS 14
    public nonisolated func toolbar<Content: View>(@ViewBuilder content: () -> Content) -> some View { EmptyView() }  // iOS 14
    public nonisolated func searchable<S: StringProtocol>(text: Binding<String>, prompt: S) -> some View { EmptyView() }  // iOS 15
    public nonisolated func fileImporter(isPresented: Binding<Bool>, allowedContentTypes: [UTType], onCompletion: @escaping (Result<URL, any Error>) -> Void) -> some View { EmptyView() }  // iOS 14
    public nonisolated func onGeometryChange<T: Equatable & Sendable>(for type: T.Type, of transform: @escaping @Sendable (GeometryProxy) -> T, action: @escaping (T) -> Void) -> some View { EmptyView() }  // iOS 16
    public nonisolated func task(priority: TaskPriority = .userInitiated, @_inheritActorContext _ action: sending @escaping @isolated(any) () async -> Void) -> some View { EmptyView() }  // iOS 15
    public nonisolated func accessibilityElement() -> some View { EmptyView() }  // iOS 13
    public nonisolated func accessibilityLabel<S: StringProtocol>(_ label: S) -> some View { EmptyView() }  // iOS 14
    public nonisolated func accessibilityIdentifier(_ identifier: String) -> some View { EmptyView() }  // iOS 14
    public nonisolated func accessibilityAddTraits(_ traits: AccessibilityTraits) -> some View { EmptyView() }  // iOS 14
}
