// swift-tools-version: 6.0
// The iOS harness. Everything but the Xcode project's own App and UITests folders is a target here, and builds on Linux as far as
// it can: `ci/test.sh`. ONNX Runtime on Linux is Debian's libonnxruntime-dev; ExecuTorch on Linux comes from the Python wheel,
// whose folder `EXECUTORCH_DIR` names; without it the ExecuTorch engine is left out there.
import Foundation
import PackageDescription

#if os(macOS)
    let onApple = true
#else
    let onApple = false
#endif
let executorchFolder = ProcessInfo.processInfo.environment["EXECUTORCH_DIR"]
let hasExecutorch = onApple || executorchFolder != nil

/// Loops that would take minutes in a debug build.
let alwaysFast: [SwiftSetting] = [.unsafeFlags(["-O"])]

var targets: [Target] = [
    .target(name: "HotLoops", swiftSettings: alwaysFast),
    .target(name: "CProbe", cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "CThreads"),
    .target(name: "HarnessCore", dependencies: ["HotLoops", "CProbe"]),
    .target(name: "OnnxEngine", dependencies: ["HarnessCore", "HotLoops", "CProbe", "CThreads", "COnnx"]),
    .target(name: "CoreMLEngine", dependencies: ["HarnessCore", "HotLoops"]),
    .target(name: "AppleDevice", dependencies: ["HarnessCore"]),
    .target(name: "LinuxDevice", dependencies: ["HarnessCore"]),
    .target(name: "HarnessScreens", dependencies: ["HarnessCore"]),
    .target(name: "HarnessUI", dependencies: ["HarnessScreens", "HarnessCore"]),
    .target(name: "CAllocations", path: "Tests/CAllocations"),
    .testTarget(name: "HarnessCoreTests", dependencies: ["HarnessCore", "HotLoops", "CProbe", "LinuxDevice", "CAllocations"]),
    .testTarget(name: "HarnessScreensTests", dependencies: ["HarnessScreens", "HarnessCore"]),
    .testTarget(name: "OnnxEngineTests", dependencies: ["OnnxEngine", "HarnessCore", "CProbe", "LinuxDevice"]),
]
var packages: [Package.Dependency] = []
/// Name, and whether it is a dynamic library: ONNX Runtime brings its own XNNPACK, which must not meet ExecuTorch's.
var products: [Product] = [
    .library(name: "HarnessUI", targets: ["HarnessUI"]),
    .library(name: "OnnxEngine", type: .dynamic, targets: ["OnnxEngine"]),
    .library(name: "CoreMLEngine", targets: ["CoreMLEngine"]),
    .library(name: "AppleDevice", targets: ["AppleDevice"]),
]

#if os(macOS)
    packages += [.package(url: "https://github.com/pytorch/executorch.git", branch: "swiftpm-1.4.1")]
    targets += [
        .binaryTarget(
            name: "onnxruntime", url: "https://download.onnxruntime.ai/pod-archive-onnxruntime-c-1.24.2.zip",
            checksum: "f7100a992d2a8135168c8afd831e6a58b465349101982aa58b3e11d36e600b54"),
        .target(name: "COnnx", dependencies: ["onnxruntime"], path: "Sources/COnnxApple"),
    ]
    let executorchProducts: [Target.Dependency] = ["executorch", "backend_xnnpack", "kernels_llm", "kernels_optimized", "kernels_quantized"]
        .map { .product(name: $0, package: "executorch") }
    let executorchHeaders: [CXXSetting] = []
    let executorchLibraries: [LinkerSetting] = []
    let executorchSources = ["executorch_shim.cpp"]
#else
    targets += [.systemLibrary(name: "COnnx", providers: [.apt(["libonnxruntime-dev"])])]
    let executorchProducts: [Target.Dependency] = []
    let executorchSources = ["executorch_shim.cpp", "test_kernels.cpp"]
    let folder = executorchFolder ?? ""
    let executorchHeaders: [CXXSetting] = [
        .unsafeFlags(["-I\(folder)/include", "-I\(folder)/include/executorch/runtime/core/portable_type/c10"]),
        .define("C10_USING_CUSTOM_GENERATED_MACROS"),
    ]
    // Backends and kernels only register themselves when they are loaded; nothing refers to them.
    let executorchLibraries: [LinkerSetting] = [
        .unsafeFlags(["-L\(folder)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(folder)/lib", "-Xlinker", "--no-as-needed"]),
        .linkedLibrary("executorch"), .linkedLibrary("executorch_threadpool"), .linkedLibrary("executorch_backend_xnnpack"),
        .linkedLibrary("executorch_kernels_optimized"), .linkedLibrary("executorch_kernels_quantized"),
    ]
#endif

if hasExecutorch {
    targets += [
        .target(
            name: "CExecuTorch", dependencies: executorchProducts, sources: executorchSources, cxxSettings: executorchHeaders,
            linkerSettings: executorchLibraries),
        .target(name: "ExecuTorchEngine", dependencies: ["HarnessCore", "CExecuTorch"]),
        .testTarget(name: "ExecuTorchEngineTests", dependencies: ["ExecuTorchEngine", "HarnessCore", "LinuxDevice"]),
    ]
    products.append(.library(name: "ExecuTorchEngine", targets: ["ExecuTorchEngine"]))
}

#if os(Linux)
    targets += [
        .executableTarget(
            name: "deepnarrow-harness",
            dependencies: ["HarnessCore", "LinuxDevice", "OnnxEngine"] + (hasExecutorch ? ["ExecuTorchEngine"] : []),
            swiftSettings: hasExecutorch ? [.define("EXECUTORCH")] : [])
    ]
    products.append(.executable(name: "deepnarrow-harness", targets: ["deepnarrow-harness"]))
#endif

// TEMPORARY: leaves out targets that have no sources yet.
func isThere(_ target: Target) -> Bool {
    let folder = target.path ?? ((target.type == .test ? "Tests/" : "Sources/") + target.name)
    return !((try? FileManager.default.contentsOfDirectory(atPath: Context.packageDirectory + "/" + folder).filter { !$0.hasPrefix(".") && $0 != "include" }) ?? []).isEmpty
}
targets = targets.filter(isThere)
let there = Set(targets.map(\.name))
products = products.filter { there.contains($0.name) }

let package = Package(
    name: "deepnarrow",
    platforms: [.iOS(.v18), .macOS(.v15)],
    products: products,
    dependencies: packages,
    targets: targets,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
