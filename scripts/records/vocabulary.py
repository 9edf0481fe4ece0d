"""The closed sets that requests and records speak in."""

from enum import StrEnum


class LoadMode(StrEnum):
    """How model files come into memory."""

    DEFAULT = "default"  # the runtime's own choice
    FILE = "file"  # read whole into memory
    MMAP = "mmap"  # mapped
    MLOCK = "mlock"  # mapped and locked


class Backend(StrEnum):
    """What computes. ExecuTorch and ONNX artifacts fix it when they are written; Core ML chooses when it loads."""

    DEFAULT = "default"
    CPU = "cpu"
    XNNPACK = "xnnpack"
    CPU_AND_GPU = "cpu-and-gpu"
    CPU_AND_NEURAL_ENGINE = "cpu-and-neural-engine"
    ALL = "all"


class Stage(StrEnum):
    """The stages of a run, in order."""

    ENVIRONMENT = "environment"
    BANDWIDTH = "bandwidth"
    LOAD = "load"
    SELF_CHECK = "self-check"
    WARM_UP = "warm-up"
    PREFILL = "prefill"
    DECODE = "decode"
    SUSTAINED = "sustained"
    FINISH = "finish"


class FailureKind(StrEnum):
    """Why a run failed."""

    ARTIFACT = "artifact"  # manifest, hash or schema is wrong, or the artifact cannot be run by this harness
    LOAD = "load"  # the runtime refused the model: truncated file, missing operator
    PARITY = "parity"  # a decisive token differs from reference.json
    RUNTIME = "runtime"  # the runtime failed in a call
    OUT_OF_MEMORY = "out-of-memory"
    REQUEST = "request"  # this machine or artifact cannot do what was asked
    INTERNAL = "internal"  # a fault of the harness
    CRASHED = "crashed"  # the process ended without a record; written by the farm
    HUNG = "hung"  # no sign of life; killed by the farm
    STORAGE = "storage"  # no space, or the record could not be written
    DEVICE = "device"  # the device went away or refused; written by the farm


class Refusal(StrEnum):
    """Why the Android app began no run: `INSTRUMENTATION_RESULT: refusal=`, beside a message for people.

    `tests/golden/refusals.json` holds Python and Kotlin to the same codes.
    """

    REQUEST = "request"  # what was asked cannot be read or done
    ACTIVE_RUN = "active-run"  # the app is measuring already
    SHARED_STORAGE = "shared-storage"  # not mounted, or nothing can be made or written in it
    UNREADABLE_ARTIFACT = "unreadable-artifact"  # the app cannot read a file of the artifact's folder


class FailureClass(StrEnum):
    """What the farm does about a failure: only INFRA is tried again."""

    INFRA = "INFRA"
    HARNESS = "HARNESS"
    MODEL = "MODEL"
    OOM = "OOM"
    HUNG = "HUNG"


FAILURE_CLASS = {
    FailureKind.ARTIFACT: FailureClass.MODEL,
    FailureKind.LOAD: FailureClass.MODEL,
    FailureKind.PARITY: FailureClass.MODEL,
    FailureKind.RUNTIME: FailureClass.MODEL,
    FailureKind.OUT_OF_MEMORY: FailureClass.OOM,
    FailureKind.REQUEST: FailureClass.HARNESS,
    FailureKind.INTERNAL: FailureClass.HARNESS,
    FailureKind.CRASHED: FailureClass.HARNESS,
    FailureKind.HUNG: FailureClass.HUNG,
    FailureKind.STORAGE: FailureClass.INFRA,
    FailureKind.DEVICE: FailureClass.INFRA,
}


class DeviceKind(StrEnum):
    """What the run ran on. Only `phone` rows may be shown as phone numbers."""

    PHONE = "phone"
    EMULATOR = "emulator"
    HOST = "host"  # this machine, Python runtimes
    DESKTOP = "desktop"  # a desktop process with the Kotlin or the Swift core
    FAKE = "fake"  # a process that plays a phone


class Severity(StrEnum):
    """What a concern does to a run."""

    WARNING = "warning"  # shown beside the number
    INVALID = "invalid"  # the run is shown and counted, never used


class ConcernCode(StrEnum):
    """Everything that can be wrong with a run that ran."""

    DEBUG_BUILD = "debug-build"
    EMULATOR = "emulator"
    LOW_BATTERY = "low-battery"
    POWER_SAVE = "power-save"
    CHARGING = "charging"
    BACKGROUND = "background"
    THERMAL_STATUS = "thermal-status"
    BATTERY_TEMPERATURE = "battery-temperature"
    CLOCK_JUMP = "clock-jump"
    THREADS_DIFFER = "threads-differ"
    LOAD_MODE_DIFFERS = "load-mode-differs"
    BACKEND_DIFFERS = "backend-differs"
    NOT_CHECKED = "not-checked"  # reference.json had no decisive step
    BUSY_MACHINE = "busy-machine"
    FREQUENCY_DROP = "frequency-drop"
    NOT_PREPARED = "not-prepared"  # the phone refused a setting that the farm makes before runs; added by the farm


class ProbeMethod(StrEnum):
    """What read the memory in the bandwidth probe."""

    ARRAY_SUM = "array-sum"  # 64-bit sums in the harness's language
    RUNTIME_GRAPH = "runtime-graph"  # a reduction inside the model's runtime
    BLAS_DOT = "blas-dot"  # numpy on a host
