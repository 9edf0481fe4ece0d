@_exported import Foundation

open class XCTestCase: NSObject {  // iOS 2
    @MainActor public func add(_ attachment: XCTAttachment) {}  // iOS 11
}
public struct XCTSkip: Error {  // iOS 2
    public init(_ message: @autoclosure () -> String? = nil) {}  // iOS 2
}
public func XCTAssertTrue(_ expression: @autoclosure () throws -> Bool, _ message: @autoclosure () -> String = "") {}  // iOS 2
public func XCTAssertFalse(_ expression: @autoclosure () throws -> Bool, _ message: @autoclosure () -> String = "") {}  // iOS 2
open class XCTAttachment: NSObject {  // iOS 11
    public init(data: Data, uniformTypeIdentifier: String) {}  // iOS 11
    open var name: String? { get { fatalError() } set {} }  // iOS 11
    open var lifetime: Lifetime { get { fatalError() } set {} }  // iOS 11
    public enum Lifetime: Int { case deleteOnSuccess, keepAlways }  // iOS 11
}
@MainActor open class XCUIElement: NSObject {  // iOS 9
    open var exists: Bool { fatalError() }  // iOS 9
    open var isEnabled: Bool { fatalError() }  // iOS 9
    open var label: String { fatalError() }  // iOS 9
    open func waitForExistence(timeout: TimeInterval) -> Bool { fatalError() }  // iOS 9
    open func tap() {}  // iOS 9
    open var buttons: XCUIElementQuery { fatalError() }  // iOS 9
    open var staticTexts: XCUIElementQuery { fatalError() }  // iOS 9
    open var otherElements: XCUIElementQuery { fatalError() }  // iOS 9
}
@MainActor open class XCUIElementQuery: NSObject {  // iOS 9
    open subscript(key: String) -> XCUIElement { fatalError() }  // iOS 9
}
@MainActor open class XCUIApplication: XCUIElement {  // iOS 9
    public override init() { super.init() }  // iOS 9
    open var launchEnvironment: [String: String] { get { fatalError() } set {} }  // iOS 9
    open func launch() {}  // iOS 9
}
