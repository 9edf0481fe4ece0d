import Foundation

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// A file of `/proc` or `/sys`, read to its end: they have no size, and one read gives a page of them. Nil where there is none.
public func kernelText(_ path: String) -> String? {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var text: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(file, &block, block.count)
        if count < 0 { return nil }
        if count == 0 { return String(decoding: text, as: UTF8.self) }
        text += block[..<count]
    }
}

/// Whether `file` is mapped into this process: what really happened, whatever load mode was asked for. Nil where it is not told.
public func isMapped(_ file: URL) -> Bool? {
    kernelText("/proc/self/maps").map { $0.contains(file.resolvingSymlinksInPath().path) }
}
