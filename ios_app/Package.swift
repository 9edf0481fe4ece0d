// swift-tools-version: 6.0
// The iOS harness. Everything but the Xcode project's own App and UITests folders is a target here, and builds on Linux as far as
// it can: `ci/test.sh`. On Linux the headers of ONNX Runtime are those of Debian's libonnxruntime-dev; the library is the one in
// `ONNXRUNTIME_DIR`, from the Python wheel, or else Debian's, which is too old for 4-bit embeddings. ExecuTorch comes from its wheel,
// in `EXECUTORCH_DIR`; without it the ExecuTorch engine is left out there.
import Foundation
import PackageDescription

#if os(macOS)
    let onApple = true
#else
    let onApple = false
#endif
let executorchFolder = ProcessInfo.processInfo.environment["EXECUTORCH_DIR"]
let hasExecutorch = onApple || executorchFolder != nil
/// The runtime does not tell its version. On Apple it is that of the branch below; on Linux `ci/test.sh` writes the wheel's.
let executorchVersion =
    onApple ? "1.4.1" : (try? String(contentsOfFile: (executorchFolder ?? "") + "/version.txt", encoding: .utf8)) ?? "unknown"

/// Where a library is searched for when it is linked and when it is loaded.
func searched(_ folder: String?) -> [LinkerSetting] {
    folder.map { [.unsafeFlags(["-L\($0)", "-Xlinker", "-rpath", "-Xlinker", $0])] } ?? []
}

/// Loops that would take minutes in a debug build.
let alwaysFast: [SwiftSetting] = [.unsafeFlags(["-O"])]

/// Swift 6.0's libswiftObservation for Linux lacks a symbol that it would only call on its way to a crash.
let observation: [LinkerSetting] = [.unsafeFlags(["-Xlinker", "--allow-shlib-undefined"], .when(platforms: [.linux]))]

var targets: [Target] = [
    .target(name: "HotLoops", swiftSettings: alwaysFast),
    .target(name: "CProbe", cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "CThreads"),
    .target(name: "HarnessCore", dependencies: ["HotLoops", "CProbe"]),
    .target(
        name: "OnnxEngine", dependencies: ["HarnessCore", "HotLoops", "CProbe", "CThreads", "COnnx"],
        linkerSettings: searched(ProcessInfo.processInfo.environment["ONNXRUNTIME_DIR"])),
    .target(name: "CoreMLEngine", dependencies: ["HarnessCore", "HotLoops"]),
    .target(name: "AppleDevice", dependencies: ["HarnessCore"]),
    .target(name: "LinuxDevice", dependencies: ["HarnessCore"]),
    .target(name: "HarnessScreens", dependencies: ["HarnessCore"], linkerSettings: observation),
    .target(name: "HarnessUI", dependencies: ["HarnessScreens", "HarnessCore"]),
    .target(name: "CAllocations", path: "Tests/CAllocations"),
    .testTarget(name: "HarnessCoreTests", dependencies: ["HarnessCore", "HotLoops", "CProbe", "LinuxDevice", "CAllocations"]),
    .testTarget(name: "HarnessScreensTests", dependencies: ["HarnessScreens", "HarnessCore"]),
    .target(name: "TinyArtifacts", dependencies: ["HarnessCore", "HotLoops", "LinuxDevice"], path: "Tests/TinyArtifacts"),
    .testTarget(name: "OnnxEngineTests", dependencies: ["OnnxEngine", "HarnessCore", "CProbe", "TinyArtifacts"]),
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
    packages += [.package(url: "https://github.com/pytorch/executorch.git", branch: "swiftpm-\(executorchVersion)")]
    targets += [
        .binaryTarget(
            name: "onnxruntime", url: "https://download.onnxruntime.ai/pod-archive-onnxruntime-c-1.24.2.zip",
            checksum: "f7100a992d2a8135168c8afd831e6a58b465349101982aa58b3e11d36e600b54"),
        .target(name: "COnnx", dependencies: ["onnxruntime"], path: "Sources/COnnxApple"),
    ]
    let executorchProducts: [Target.Dependency] = ["executorch", "backend_xnnpack", "kernels_llm", "kernels_optimized", "kernels_quantized"]
        .map { .product(name: $0, package: "executorch") }
    let executorchHeaders: [CXXSetting] = [.define("EXECUTORCH_VERSION", to: "\"\(executorchVersion)\"")]
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
        .define("EXECUTORCH_VERSION", to: "\"\(executorchVersion)+test-kernels\""),
    ]
    // Backends and kernels only register themselves when they are loaded; nothing refers to them.
    let executorchLibraries: [LinkerSetting] = searched(folder + "/lib") + [
        .unsafeFlags(["-Xlinker", "--no-as-needed"]),
        .linkedLibrary("executorch"), .linkedLibrary("executorch_threadpool"), .linkedLibrary("executorch_backend_xnnpack"),
        .linkedLibrary("executorch_kernels_optimized"), .linkedLibrary("executorch_kernels_quantized"),
    ]
#endif

if hasExecutorch {
    targets += [
        .target(
            name: "CExecuTorch", dependencies: executorchProducts, sources: executorchSources, cxxSettings: executorchHeaders,
            linkerSettings: executorchLibraries),
        .target(name: "ExecuTorchEngine", dependencies: ["HarnessCore", "HotLoops", "CExecuTorch"]),
        .testTarget(name: "ExecuTorchEngineTests", dependencies: ["ExecuTorchEngine", "HarnessCore", "TinyArtifacts"]),
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

let package = Package(
    name: "deepnarrow",
    platforms: [.iOS(.v18), .macOS(.v15)],
    products: products,
    dependencies: packages,
    targets: targets,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
