#if canImport(Darwin)
    @preconcurrency import Darwin
#endif

/// Memory of this process as the kernel counts it, in bytes.
struct TaskMemory {
    let resident: Int
    let anonymous: Int
    let file: Int
    let compressed: Int
    /// The most resident memory so far; it cannot be started anew.
    let peak: Int
}

/// Calls of Apple's kernel; nil where it refuses, and on Linux, which only type-checks this target.
enum AppleKernel {
    static func memory() -> TaskMemory? {
        #if canImport(Darwin)
            var info = task_vm_info_data_t()
            // TASK_VM_INFO_COUNT is too complex for the importer.
            var count = mach_msg_type_number_t(MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<integer_t>.size)
            let code = withUnsafeMutablePointer(to: &info) { pointer in
                pointer.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                    task_info(mach_task_self_, task_flavor_t(TASK_VM_INFO), $0, &count)
                }
            }
            guard code == KERN_SUCCESS else { return nil }
            return TaskMemory(
                resident: Int(info.resident_size), anonymous: Int(info.internal), file: Int(info.external), compressed: Int(info.compressed),
                peak: Int(info.resident_size_peak))
        #else
            nil
        #endif
    }

    /// A text of `sysctlbyname`, such as `hw.machine`.
    static func text(_ name: String) -> String? {
        #if canImport(Darwin)
            var size = 0
            guard sysctlbyname(name, nil, &size, nil, 0) == 0, size > 0 else { return nil }
            var bytes = [UInt8](repeating: 0, count: size)
            guard sysctlbyname(name, &bytes, &size, nil, 0) == 0 else { return nil }
            return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        #else
            nil
        #endif
    }

    /// A number of `sysctlbyname`, such as `hw.memsize`; 32 or 64 bits.
    static func number(_ name: String) -> Int? {
        #if canImport(Darwin)
            var value: Int64 = 0
            var size = MemoryLayout<Int64>.size
            guard sysctlbyname(name, &value, &size, nil, 0) == 0 else { return nil }
            return Int(value)
        #else
            nil
        #endif
    }
}
