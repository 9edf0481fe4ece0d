@_exported import Foundation
import UniformTypeIdentifiers

public protocol TransferRepresentation<Item>: Sendable {  // iOS 16
    associatedtype Item: Transferable  // iOS 16
}
public protocol Transferable {  // iOS 16
    associatedtype Representation: TransferRepresentation  // iOS 16
    @TransferRepresentationBuilder<Self> static var transferRepresentation: Representation { get }  // iOS 16
}
@resultBuilder public struct TransferRepresentationBuilder<Item: Transferable> {  // iOS 16
    public static func buildBlock<Content: TransferRepresentation>(_ content: Content) -> Content where Content.Item == Item { content }  // iOS 16
}
public struct SentTransferredFile: Sendable {  // iOS 16
    public init(_ file: URL, allowAccessingOriginalFile: Bool = false) {}  // iOS 16
}
public struct FileRepresentation<Item: Transferable>: TransferRepresentation {  // iOS 16
    public init(exportedContentType: UTType, exporting: @escaping @Sendable (Item) async throws -> SentTransferredFile) {}  // iOS 16
}
extension URL: Transferable {  // iOS 16
    public static var transferRepresentation: FileRepresentation<URL> { FileRepresentation(exportedContentType: .zip) { SentTransferredFile($0) } }  // iOS 16
}
