import Foundation

/// Numbers as text: three figures and a unit, the same in every locale, because they are copied into issues and tables.
public enum Format {
    public static func milliseconds(_ ns: Double) -> String { "\(figures(ns / 1e6)) ms" }

    public static func bandwidth(_ bytesPerS: Double) -> String { "\(figures(bytesPerS / 1e9)) GB/s" }

    public static func percent(_ share: Double) -> String { "\(figures(100 * share)) %" }

    public static func ratio(_ value: Double) -> String { fixed(value, 2) }

    public static func megabytes(_ bytes: Int) -> String { "\(figures(Double(bytes) / 1e6)) MB" }

    public static func tick(_ value: Double, step: Double) -> String {
        fixed(value, step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3)
    }

    /// Three significant figures without an exponent; whole numbers from 100 on.
    public static func figures(_ value: Double) -> String {
        let size = abs(value)
        return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4)
    }

    static func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }
}
