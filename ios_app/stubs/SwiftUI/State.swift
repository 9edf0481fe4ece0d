import Observation

@propertyWrapper public struct State<Value> {  // iOS 13
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }  // iOS 13
    public var wrappedValue: Value { get { fatalError() } nonmutating set {} }  // iOS 13
    public var projectedValue: Binding<Value> { fatalError() }  // iOS 13
}
extension State: Sendable where Value: Sendable {}  // iOS 13
@propertyWrapper @dynamicMemberLookup public struct Binding<Value> {  // iOS 13
    @preconcurrency public init(get: @escaping @isolated(any) @Sendable () -> Value, set: @escaping @isolated(any) @Sendable (Value) -> Void) {}  // iOS 13
    public var wrappedValue: Value { get { fatalError() } nonmutating set {} }  // iOS 13
    public var projectedValue: Binding<Value> { self }  // iOS 13
    public subscript<Subject>(dynamicMember keyPath: WritableKeyPath<Value, Subject>) -> Binding<Subject> { fatalError() }  // iOS 13
}
@dynamicMemberLookup @propertyWrapper public struct Bindable<Value> {  // iOS 17
    private let value: Value  // iOS 17
    @available(*, unavailable, message: "The wrapped value must be an object that conforms to Observable")
    public init(wrappedValue: Value) { fatalError() }  // iOS 17
    public var wrappedValue: Value { get { value } set {} }  // iOS 17
    public var projectedValue: Bindable<Value> { self }  // iOS 17
}
extension Bindable where Value: AnyObject & Observable {  // iOS 17
    public init(wrappedValue: Value) { value = wrappedValue }  // iOS 17
    public subscript<Subject>(dynamicMember keyPath: ReferenceWritableKeyPath<Value, Subject>) -> Binding<Subject> { fatalError() }  // iOS 17
}
@propertyWrapper public struct Environment<Value> {  // iOS 13
    public init(_ keyPath: KeyPath<EnvironmentValues, Value>) {}  // iOS 13
    public var wrappedValue: Value { fatalError() }  // iOS 13
}
public struct EnvironmentValues {  // iOS 13
    public var colorScheme: ColorScheme { fatalError() }  // iOS 13
    public var scenePhase: ScenePhase { fatalError() }  // iOS 14
}
public enum ScenePhase: Comparable, Sendable { case background, inactive, active }  // iOS 14
public enum ColorScheme: CaseIterable, Sendable { case light, dark }  // iOS 13
@propertyWrapper public struct ScaledMetric<Value: BinaryFloatingPoint> {  // iOS 14
    public init(wrappedValue: Value, relativeTo textStyle: Font.TextStyle) {}  // iOS 14
    public var wrappedValue: Value { fatalError() }  // iOS 14
}
