/// What the screens need; reports are made by `scripts/analysis` from the records, which keep every step.
public enum Statistics {
    /// Of at least one value.
    public static func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

    public static func median(_ values: [Int]) -> Double { quantile(values, 0.5) }

    public static func quantile(_ values: [Int], _ share: Double) -> Double { quantile(values.map(Double.init), share) }

    /// Linear between the two nearest, as numpy's default. Of at least one value.
    public static func quantile(_ values: [Double], _ share: Double) -> Double {
        precondition(!values.isEmpty, "no values")
        let sorted = values.sorted()
        let place = share * Double(sorted.count - 1)
        let low = Int(place)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
    }
}
