"""The comparisons behind the gates and the thresholds they are held to. Pure functions over arrays."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from export.proof.reference import Case, LogitSample, NetworkReference, TextReference, top_margins
from export.quantization import Scheme
from export.quantized import QuantizedTensor
from export.targets.base import Observed, StoredTensor

# A stored integer is the nearest one to source / scale, up to the rounding of that division ...
MAX_STEPS = 0.501
# ... and no source lies further than this beyond the last integer: the rule of signed scales clips by up to one step.
MAX_CLIPPED_STEPS = 1.01
# Below float16's normal numbers a scale has too few bits to let a group use the whole range of its integers.
COARSE_SCALE = 2.0**-14
# Relative and absolute error of a number that is stored as floating point, by bits.
FLOAT_ERROR = {16: (1e-3, 6e-8), 32: (1e-6, 0.0)}
# The artifact may lie this many times the measured floor away from eager with the same weights, over all rows ...
FLOOR_FACTOR = 2.0
# ... and in its worst single row.
ROW_FACTOR = 3.0
# Relative RMS difference that float32 arithmetic in another order may make; the floor where nothing is rounded.
ARITHMETIC_FLOOR = 1e-4
# Cosine of the artifact's logits to float32 eager's, both centred by row: a common offset says nothing about the
# distribution. Random weights, which have no margins, suffer most.
MIN_COSINE = {Scheme.FP32: 0.9999, Scheme.INT8: 0.98, Scheme.MIXED: 0.8, Scheme.INT4: 0.7}
# Nats above float32 on the sample text, for checkpoints with a tokenizer.
MAX_NATS = {Scheme.FP32: 0.005, Scheme.INT8: 0.05, Scheme.MIXED: 0.4, Scheme.INT4: 0.6}
# The sampled logits of reference.json must spread over this many tolerances, or checking them proves nothing.
MIN_EVIDENCE = 2.0
# A greedy step is decisive when its margin exceeds this many standard deviations of a difference of two noisy logits.
DECISIVE_SIGMAS = 6.0
# How far a margin in reference.json may be from what eager computes on this machine.
MAX_MARGIN_DRIFT = 0.02
MAX_SIZE_ERROR = 0.05
# A linear that fell out of a delegate would be in the portable kernels, among the few operators that belong there.
MIN_DELEGATED_SHARE = 0.8


_CHECKED_ROWS = 2048


class Gate(StrEnum):
    """What is proven, in the order in which the gates run."""

    FILES = "files"
    MANIFEST = "manifest"
    OPERATORS = "operators"
    SIZE = "size"
    WEIGHTS = "weights"
    LOGITS = "logits"
    GREEDY = "greedy"
    SAMPLE = "sample"


class GateError(Exception):
    """An artifact that failed a gate; the message names the tensor, token, operator or file."""

    def __init__(self, gate: Gate, message: str) -> None:
        super().__init__(f"{gate} gate: {message}")
        self.gate = gate


@dataclass(frozen=True, kw_only=True, slots=True)
class GateResult:
    """A passed gate: what was measured, beside the thresholds it was held to."""

    gate: Gate
    measured: dict[str, float]
    thresholds: dict[str, float]
    note: str


@dataclass(frozen=True, slots=True)
class Floor:
    """Relative RMS difference that the runtime's rounding of activations alone makes: over all rows, and worst row."""

    overall: float
    worst_row: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """Logits float32 [rows, V] of each case, three times.

    Attributes:
        cases: the texts.
        artifact: from the runtime.
        same: eager, with the weights read back from the artifact.
        exact: eager, with the source's float32 weights.
        note: how the artifact was run.
    """

    cases: list[Case]
    artifact: list[np.ndarray]
    same: list[np.ndarray]
    exact: list[np.ndarray]
    note: str


def measure_floor(rounded: list[np.ndarray], exact: list[np.ndarray]) -> Floor:
    """What rounding of activations does to eager's logits; never less than float32 arithmetic itself."""
    overall = relative_rms(rounded, exact)
    if not np.isfinite(overall):  # float16 overflows; whoever asks says so
        return Floor(np.inf, np.inf)
    overall = max(overall, ARITHMETIC_FLOOR)
    return Floor(overall, max(worst_row(rounded, exact)[0], overall))


def check_operators(required: dict[str, int], observed: Observed) -> GateResult:
    """Every promised operator occurs exactly as often as promised, and delegates run most of the work."""
    for operator, count in required.items():
        found = observed.operators.get(operator, 0)
        if found != count:
            raise GateError(Gate.OPERATORS, f"{operator} occurs {found} times, promised {count} times")
    measured = {operator: float(count) for operator, count in required.items()}
    thresholds = dict(measured)
    if observed.delegated_share is not None:
        measured["delegated_share"], thresholds["delegated_share"] = observed.delegated_share, MIN_DELEGATED_SHARE
        if observed.delegated_share < MIN_DELEGATED_SHARE:
            raise GateError(
                Gate.OPERATORS, f"delegates run {observed.delegated_share:.0%} of the operators, "
                f"at least {MIN_DELEGATED_SHARE:.0%} are promised"
            )  # fmt: skip
    note = "promised operators are in the files"
    return GateResult(gate=Gate.OPERATORS, measured=measured, thresholds=thresholds, note=note)


def check_size(actual_bytes: int, expected_bytes: int) -> GateResult:
    """Model files hold what the shape and the scheme ask for, within 5 %."""
    error = actual_bytes / expected_bytes - 1
    if abs(error) > MAX_SIZE_ERROR:
        raise GateError(
            Gate.SIZE,
            f"model files hold {actual_bytes} bytes, computed {expected_bytes}: {error:+.1%}, allowed 5 % either way",
        )
    return GateResult(
        gate=Gate.SIZE,
        measured={"bytes": actual_bytes, "relative_error": error},
        thresholds={"bytes": expected_bytes, "relative_error": MAX_SIZE_ERROR},
        note="bytes of the model files against the computed bound",
    )


def check_tensor(name: str, tensor: StoredTensor, bits: int, source: np.ndarray) -> float:
    """Compare a stored tensor by value with its source, number by number.

    Integers are held to the resolution of their own scale: each must be the nearest to its source, and each group must
    use the range that it has. So a row of almost nothing and a row with one outlier pass, and a scale that is wrong by
    a few percent does not.

    Args:
        name: for the message.
        tensor: as read back.
        bits: per weight, as the target stores this tensor.
        source: float32.

    Returns:
        The largest error: in steps of the scale for integers, relative for floating point.
    """
    dims = tensor.values.shape if isinstance(tensor, QuantizedTensor) else tensor.shape
    if dims != source.shape:
        raise GateError(Gate.WEIGHTS, f"{name} is stored as {dims}, its source is {source.shape}")
    if isinstance(tensor, QuantizedTensor):
        return max(_check_rows(name, tensor, source, first) for first in range(0, len(source), _CHECKED_ROWS))
    relative, absolute = FLOAT_ERROR[bits]
    errors = np.abs(tensor - source)
    wrong = ~(errors <= relative * np.abs(source) + absolute)  # not a number fails too
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), source.shape)
        raise GateError(
            Gate.WEIGHTS, f"row {place[0]} of {name} holds {tensor[place]:.6g}, its source is {source[place]:.6g}"
        )  # fmt: skip
    return float((errors / np.maximum(np.abs(source), 1e-30)).max(initial=0, where=np.abs(source) > 1e-3))


def _check_rows(name: str, tensor: QuantizedTensor, source: np.ndarray, first: int) -> float:
    """Rows `first` and the next ones: a block at a time, so that a table needs no second copy."""
    rows = slice(first, first + _CHECKED_ROWS)
    scales, top = tensor.scales[rows, :, None], 2 ** (tensor.bits - 1)
    values = tensor.values[rows].reshape(*tensor.scales[rows].shape, -1)
    wanted = source[rows].reshape(values.shape) / scales
    held = np.clip(wanted, -top, top - 1)
    errors = np.abs(held - values)
    beyond = np.abs(wanted - held)
    wrong = ~((errors <= MAX_STEPS) & (beyond <= MAX_CLIPPED_STEPS))
    unused = (np.abs(values.astype(np.int16)).max(-1) < top - 1) & (np.abs(tensor.scales[rows]) > COARSE_SCALE)
    if wrong.any() or unused.any():
        row = int(np.argmax(wrong.any((1, 2)) | unused.any(1)))
        raise GateError(
            Gate.WEIGHTS, f"row {first + row} of {name} is not its source in {tensor.bits} bits: "
            f"{_what(wrong[row], row, wanted, values)}"
        )  # fmt: skip
    return float(errors.max())


def _what(wrong: np.ndarray, row: int, wanted: np.ndarray, values: np.ndarray) -> str:
    if not wrong.any():
        return "a group uses less than the range of its integers, so its scale is too large"
    group, column = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    share = wrong.mean()
    return (
        f"a weight of {wanted[row, group, column]:.2f} steps is stored as {values[row, group, column]}, "
        f"{share:.0%} of the row likewise"
    )


def check_logits(scheme: Scheme, compared: Compared, floor: Floor) -> GateResult:
    """Hold the artifact's logits against eager with the same weights and against eager with float32 weights."""
    artifact, same, exact = compared.artifact, compared.same, compared.exact
    if not np.isfinite(floor.overall):
        raise GateError(
            Gate.LOGITS, "activations of this network exceed 65504, the largest float16 number, and the runtime "
            "computes in float16 under this scheme; export with --scheme fp32, or to another target"
        )  # fmt: skip
    measured = {"relative_rms": relative_rms(artifact, same)}
    measured["worst_row"], case, row = worst_row(artifact, same)
    measured["cosine_to_float32"] = centred_cosine(artifact, exact)
    measured["quantization"] = relative_rms(same, exact)
    thresholds = {"relative_rms": FLOOR_FACTOR * floor.overall, "worst_row": ROW_FACTOR * floor.worst_row}
    place = f"worst at token {compared.cases[case].prompt_length - 1 + row} of text {case}"
    for name, bound in thresholds.items():
        if not measured[name] <= bound:  # not a number fails too
            raise GateError(
                Gate.LOGITS, f"{name} {measured[name]:.2e} against eager with the same weights, allowed {bound:.2e}; "
                f"{place}"
            )  # fmt: skip
    thresholds["cosine_to_float32"] = MIN_COSINE[scheme]
    if not measured["cosine_to_float32"] >= MIN_COSINE[scheme]:
        raise GateError(
            Gate.LOGITS, f"centred cosine {measured['cosine_to_float32']:.4f} to eager in float32, {scheme} needs "
            f"{MIN_COSINE[scheme]}; {place}"
        )  # fmt: skip
    note = f"{sum(len(rows) for rows in same)} rows of {len(same)} texts; {compared.note}"
    return GateResult(gate=Gate.LOGITS, measured=measured, thresholds=thresholds, note=note)


def check_greedy(eager: list[np.ndarray], chosen: list[np.ndarray], decisive_margin: float) -> GateResult:
    """Every id that the artifact chose is eager's, or so near a tie with it that rounding may decide.

    Args:
        eager: float32 [steps, V] logits of each text, with the artifact's weights, along the same ids.
        chosen: int64 [steps] ids of the artifact.
        decisive_margin: logits by which an id may fall short of eager's best.
    """
    decisive = agreed = total = 0
    for index, (logits, ids) in enumerate(zip(eager, chosen, strict=True)):
        best = logits.argmax(-1)
        behind = logits.max(-1) - np.take_along_axis(logits, ids[:, None], -1)[:, 0]
        for step in np.flatnonzero(behind > decisive_margin):
            raise GateError(
                Gate.GREEDY, f"token {step} of text {index} is {ids[step]}, eager says {best[step]} "
                f"by {behind[step]:.3f} (decisive above {decisive_margin:.3f})"
            )  # fmt: skip
        decisive += int((top_margins(logits) > decisive_margin).sum())
        agreed, total = agreed + int((best == ids).sum()), total + len(ids)
    return GateResult(
        gate=Gate.GREEDY,
        measured={"steps": total, "decisive": decisive, "agreed": agreed},
        thresholds={"margin": decisive_margin},
        note=f"{decisive} of {total} steps decisive, all equal; {agreed} equal in all",
    )


def confirm_text_reference(reference: TextReference, eager: list[np.ndarray]) -> None:
    """A reference.json from disk must be what the artifact's weights say: the same winners by the same margins.

    Args:
        reference: read from the folder.
        eager: float32 [steps, V] logits of each text, with the artifact's weights, along the reference.
    """
    for index, (text, logits) in enumerate(zip(reference.texts, eager, strict=True)):
        winners, margins = logits.argmax(-1), top_margins(logits)
        for step, (expected, margin) in enumerate(zip(text.greedy, text.margins, strict=True)):
            moved = abs(margins[step] - margin) > MAX_MARGIN_DRIFT * (reference.decisive_margin + margin)
            flagged = text.decisive[step] == (margin > reference.decisive_margin)
            if moved or not flagged or (text.decisive[step] and winners[step] != expected):
                raise GateError(
                    Gate.GREEDY, f"reference.json does not belong to these weights: step {step} of text {index} says "
                    f"{expected} by {margin:.4f}, eager says {winners[step]} by {margins[step]:.4f}"
                )  # fmt: skip


def check_sample(artifact: np.ndarray, sample: LogitSample) -> GateResult:
    """The artifact gives the sampled logits, and they say enough: what every harness checks before it times anything.

    Args:
        artifact: float32 [steps, ids].
        sample: the sample, whose rows are eager's.
    """
    wanted = np.asarray(sample.rows, np.float32)
    difference = float(np.sqrt(np.square(artifact - wanted, dtype=np.float64).mean()))
    evidence = float(wanted.std()) / sample.tolerance
    if not difference <= sample.tolerance:
        raise GateError(
            Gate.SAMPLE, f"sampled logits differ by {difference:.2e} (RMS), allowed {sample.tolerance:.2e}"
        )  # fmt: skip
    if not evidence >= MIN_EVIDENCE:
        raise GateError(
            Gate.SAMPLE, f"the sampled logits spread over {evidence:.2f} tolerances, fewer than {MIN_EVIDENCE:.0f}: "
            "a phone's self-check would prove nothing"
        )  # fmt: skip
    return GateResult(
        gate=Gate.SAMPLE, measured={"rms": difference, "evidence": evidence},
        thresholds={"rms": sample.tolerance, "evidence": MIN_EVIDENCE},
        note=f"{len(sample.token_ids)} ids at {len(sample.rows)} steps, as harnesses check them",
    )  # fmt: skip


def confirm_sample(sample: LogitSample, eager: np.ndarray) -> None:
    """A sample from disk must be what the artifact's weights say."""
    off = float(np.sqrt(np.square(np.asarray(sample.rows) - eager).mean()))
    if not off <= MAX_MARGIN_DRIFT * sample.tolerance:
        raise GateError(
            Gate.SAMPLE, f"reference.json does not belong to these weights: its logits are off by {off:.2e}"
        )


def confirm_network_reference(reference: NetworkReference, fresh: NetworkReference) -> None:
    """The same for an MLP."""
    off = np.abs(np.asarray(reference.outputs) - np.asarray(fresh.outputs)).max()
    if reference.inputs != fresh.inputs or off > 0.01 * fresh.tolerance:
        raise GateError(Gate.LOGITS, f"reference.json does not belong to these weights: outputs differ by {off:.2e}")


def relative_rms(got: list[np.ndarray], want: list[np.ndarray]) -> float:
    """RMS difference over all rows, relative to the spread of `want`."""
    squares = sum(float(np.square(g - w, dtype=np.float64).sum()) for g, w in zip(got, want, strict=True))
    return (squares / sum(w.size for w in want)) ** 0.5 / spread(want)


def worst_row(got: list[np.ndarray], want: list[np.ndarray]) -> tuple[float, int, int]:
    """(relative RMS, case, row) of the row that differs most."""
    scale = spread(want)
    rows = [np.sqrt(np.square(g - w).mean(-1)) / scale for g, w in zip(got, want, strict=True)]
    case = int(np.argmax([errors.max() for errors in rows]))
    row = int(rows[case].argmax())
    return float(rows[case][row]), case, row


def spread(logits: list[np.ndarray]) -> float:
    """Standard deviation of all logits."""
    return float(np.concatenate([rows.ravel() for rows in logits]).std())


def centred_cosine(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    """Cosine of the angle between all logits of two runs, each row's mean taken off."""

    def centred(rows: np.ndarray) -> np.ndarray:
        return rows - rows.mean(-1, keepdims=True)

    def dot(a: list[np.ndarray], b: list[np.ndarray]) -> float:
        return sum(
            float(np.einsum("ij,ij->i", centred(x), centred(y)).sum(dtype=np.float64))
            for x, y in zip(a, b, strict=True)
        )

    norms = (dot(left, left) * dot(right, right)) ** 0.5
    return dot(left, right) / norms if norms else float("nan")
