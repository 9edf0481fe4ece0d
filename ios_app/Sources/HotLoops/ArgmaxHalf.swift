/// Index of the largest value, the lowest among equals; the half-precision twin of `argmax`, for Core ML's logits. NaN is never chosen;
/// where all are NaN the answer is 0.
public func argmax(_ values: UnsafeBufferPointer<Float16>) -> Int {
    guard let start = values.baseAddress else { return 0 }
    let blocks = values.count / 16
    var lanes = SIMD16<Float16>(repeating: -.infinity)
    for block in 0..<blocks {
        let next = UnsafeRawPointer(start + block * 16).loadUnaligned(as: SIMD16<Float16>.self)
        lanes.replace(with: next, where: next .> lanes)
    }
    var most = lanes.max()
    for i in blocks * 16..<values.count where values[i] > most { most = values[i] }
    return values.firstIndex(of: most) ?? 0
}
