/// Index of the largest value, the lowest among equals. Blocks of 16 keep the processor's vector units busy: the first pass finds
/// the maximum, the second one its first place. NaN is never chosen; where all are NaN the answer is 0.
public func argmax(_ values: UnsafeBufferPointer<Float>) -> Int {
    guard let start = values.baseAddress else { return 0 }
    let blocks = values.count / 16
    var lanes = SIMD16<Float>(repeating: -.infinity)
    for block in 0..<blocks {
        let next = UnsafeRawPointer(start + block * 16).loadUnaligned(as: SIMD16<Float>.self)
        lanes.replace(with: next, where: next .> lanes)
    }
    var most = lanes.max()
    for i in blocks * 16..<values.count where values[i] > most { most = values[i] }
    return firstIndex(of: most, in: values, start, blocks)
}

@inline(__always)
private func firstIndex(of most: Float, in values: UnsafeBufferPointer<Float>, _ start: UnsafePointer<Float>, _ blocks: Int) -> Int {
    var block = 0
    while block < blocks {
        let next = UnsafeRawPointer(start + block * 16).loadUnaligned(as: SIMD16<Float>.self)
        if any(next .== SIMD16(repeating: most)) { break }
        block += 1
    }
    for i in block * 16..<values.count where values[i] == most { return i }
    return 0
}
