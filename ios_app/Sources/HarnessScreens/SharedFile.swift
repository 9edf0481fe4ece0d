import Foundation

/// Files in one ZIP archive, stored as they are: every system opens it, and what comes out are the very bytes that were recorded.
/// The format is PKWARE's APPNOTE 6.3, without compression, encryption or ZIP64.
public enum ZipArchive {
    /// `name`: relative path with `/`.
    public struct Entry: Sendable {
        public let name: String
        public let data: Data

        public init(name: String, data: Data) {
            self.name = name
            self.data = data
        }
    }

    public static func data(of entries: [Entry]) -> Data {
        var archive = Data()
        var directory = Data()
        for entry in entries {
            let header = header(of: entry)
            directory.append(little32(0x0201_4b50))
            directory.append(little16(20))  // made by: MS-DOS rules, version 2.0
            directory.append(header)
            directory.append(contentsOf: [UInt8](repeating: 0, count: 10))  // comment, disk, attributes
            directory.append(little32(UInt32(archive.count)))
            directory.append(Data(entry.name.utf8))
            archive.append(little32(0x0403_4b50))
            archive.append(header)
            archive.append(Data(entry.name.utf8))
            archive.append(entry.data)
        }
        let start = UInt32(archive.count)
        archive.append(directory)
        archive.append(little32(0x0605_4b50))
        archive.append(contentsOf: [0, 0, 0, 0])
        archive.append(little16(UInt16(entries.count)))
        archive.append(little16(UInt16(entries.count)))
        archive.append(little32(UInt32(directory.count)))
        archive.append(little32(start))
        archive.append(little16(0))
        return archive
    }

    /// The part that local header and directory share: version, flags (names are UTF-8), method, time, sums, sizes, lengths.
    private static func header(of entry: Entry) -> Data {
        let size = little32(UInt32(entry.data.count))
        let midnight1980 = little16(0) + little16(0x21)
        return little16(20) + little16(0x0800) + little16(0) + midnight1980 + little32(crc32(entry.data)) + size + size
            + little16(UInt16(entry.name.utf8.count)) + little16(0)
    }

    /// CRC-32 of ISO 3309, reflected, as ZIP wants it.
    static func crc32(_ data: Data) -> UInt32 {
        ~data.reduce(UInt32.max) { sum, byte in table[Int((sum ^ UInt32(byte)) & 0xff)] ^ (sum >> 8) }
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
    }

    private static func little16(_ value: UInt16) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }

    private static func little32(_ value: UInt32) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
}
