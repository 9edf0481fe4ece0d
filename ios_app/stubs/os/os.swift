@_exported import Foundation

public func os_proc_available_memory() -> Int { fatalError() }  // iOS 13
