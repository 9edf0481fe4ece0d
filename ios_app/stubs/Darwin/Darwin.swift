@_exported import Glibc

public typealias integer_t = Int32  // iOS 2
public typealias natural_t = UInt32  // iOS 2
public typealias kern_return_t = Int32  // iOS 2
public typealias task_t = UInt32  // iOS 2
public typealias task_flavor_t = natural_t  // iOS 2
public typealias mach_msg_type_number_t = natural_t  // iOS 2
public typealias task_info_t = UnsafeMutablePointer<integer_t>  // iOS 2
public typealias mach_vm_size_t = UInt64  // iOS 2
public let KERN_SUCCESS: Int32 = 0  // iOS 2
public let TASK_VM_INFO: Int32 = 22  // iOS 7
nonisolated(unsafe) public var mach_task_self_: UInt32 = 0  // iOS 2
public func task_info(_ task: task_t, _ flavor: task_flavor_t, _ info: task_info_t!, _ count: UnsafeMutablePointer<mach_msg_type_number_t>!) -> kern_return_t { fatalError() }  // iOS 2
public struct task_vm_info_data_t {  // iOS 7
    public init() { fatalError() }  // iOS 7
    public var resident_size: mach_vm_size_t  // iOS 7
    public var resident_size_peak: mach_vm_size_t  // iOS 7
    public var `internal`: mach_vm_size_t  // iOS 7
    public var external: mach_vm_size_t  // iOS 7
    public var compressed: mach_vm_size_t  // iOS 7
}
public func sysctlbyname(_ name: UnsafePointer<CChar>!, _ old: UnsafeMutableRawPointer!, _ oldSize: UnsafeMutablePointer<Int>!, _ new: UnsafeMutableRawPointer!, _ newSize: Int) -> Int32 { fatalError() }  // iOS 2
public func clock_gettime_nsec_np(_ clock: clockid_t) -> UInt64 { fatalError() }  // iOS 10
public var CLOCK_UPTIME_RAW: clockid_t { fatalError() }  // iOS 10
