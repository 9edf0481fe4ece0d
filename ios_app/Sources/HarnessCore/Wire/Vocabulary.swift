/// A closed set of words on the wire. A word that is not in the set is refused with the choices.
public protocol Word: RawRepresentable, CaseIterable, Codable, Sendable, Hashable where RawValue == String {}

extension Word {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let word = Self(rawValue: text) else {
            let choices = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text.prefix(60))' is not known; choose from \(choices)")
        }
        self = word
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// How model files come into memory.
public enum LoadMode: String, Word { case `default`, file, mmap, mlock }

/// What computes. ExecuTorch and ONNX artifacts fix it when they are written; Core ML chooses when it loads.
public enum Backend: String, Word {
    case `default`, cpu, xnnpack
    case cpuAndGpu = "cpu-and-gpu"
    case cpuAndNeuralEngine = "cpu-and-neural-engine"
    case all
}

/// The stages of a run, in order.
public enum Stage: String, Word, Comparable {
    case environment, bandwidth, load
    case selfCheck = "self-check"
    case warmUp = "warm-up"
    case prefill, decode, sustained, finish

    /// Place in the order of a run.
    public var position: Int { Self.allCases.firstIndex(of: self)! }

    public static func < (left: Stage, right: Stage) -> Bool { left.position < right.position }
}

/// Why a run failed; `scripts/records/vocabulary.py` says what each one means.
public enum FailureKind: String, Word {
    case artifact, load, parity, runtime
    case outOfMemory = "out-of-memory"
    case request, `internal`, crashed, hung, storage, device
}

/// What the run ran on. Only `phone` rows may be shown as phone numbers.
public enum DeviceKind: String, Word { case phone, emulator, host, desktop, fake }

/// What a concern does to a run: shown beside the number, or the number is never used.
public enum Severity: String, Word { case warning, invalid }

/// Everything that can be wrong with a run that ran.
public enum ConcernCode: String, Word {
    case debugBuild = "debug-build"
    case emulator
    case lowBattery = "low-battery"
    case powerSave = "power-save"
    case charging, background
    case thermalStatus = "thermal-status"
    case batteryTemperature = "battery-temperature"
    case clockJump = "clock-jump"
    case threadsDiffer = "threads-differ"
    case loadModeDiffers = "load-mode-differs"
    case backendDiffers = "backend-differs"
    case notChecked = "not-checked"
    case busyMachine = "busy-machine"
    case frequencyDrop = "frequency-drop"
}

/// What read the memory in the bandwidth probe.
public enum ProbeMethod: String, Word {
    case arraySum = "array-sum"
    case runtimeGraph = "runtime-graph"
    case blasDot = "blas-dot"
}

/// The role of a shape in a pair.
public enum Arm: String, Word { case deep, wide }

/// The runtimes an artifact can be written for.
public enum TargetName: String, Word { case executorch, onnx, coreml }

/// Quantization: the same names and bits on every target.
public enum Scheme: String, Word { case fp32, int8, int4, mixed }
