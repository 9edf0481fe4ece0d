@_exported import Foundation

public struct UTType: Sendable, Hashable {  // iOS 14
    public static var folder: UTType { fatalError() }  // iOS 14
    public static var zip: UTType { fatalError() }  // iOS 14
}
