"""The comparisons behind the gates and the thresholds they are held to. Pure functions over arrays."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from export.proof.reference import Case, NetworkReference, TextReference, top_margins
from export.quantization import Scheme
from export.quantized import QuantizedTensor
from export.targets.base import Observed, StoredTensor

# Correlation and relative error of the norm that a stored tensor must and may have against its source, by bits.
MIN_CORRELATION = {4: 0.99, 8: 0.9999, 16: 1 - 1e-6, 32: 1 - 1e-6}
MAX_NORM_ERROR = {4: 0.05, 8: 0.005, 16: 1e-3, 32: 1e-6}
# The same for its worst row: one swapped or empty row of thousands would hide in the whole.
MIN_ROW_CORRELATION = {4: 0.95, 8: 0.999, 16: 1 - 1e-5, 32: 1 - 1e-5}
MAX_ROW_NORM_ERROR = {4: 0.2, 8: 0.02, 16: 2e-3, 32: 1e-5}
# The artifact may lie this many times the measured floor away from eager with the same weights, over all rows ...
FLOOR_FACTOR = 2.0
# ... and in its worst single row.
ROW_FACTOR = 3.0
# Relative RMS difference that float32 arithmetic in another order may make; the floor where nothing is rounded.
ARITHMETIC_FLOOR = 1e-4
# Cosine of the artifact's logits to float32 eager's; random weights, which have no margins, suffer most. At int4 the
# pairs of the catalog come to 0.87 to 0.99, random weights as transformers draws them for SmolLM2-135M to 0.62.
MIN_COSINE = {Scheme.FP32: 0.9999, Scheme.INT8: 0.95, Scheme.INT4: 0.4}
# A greedy step is decisive when its margin exceeds this many standard deviations of a difference of two noisy logits.
DECISIVE_SIGMAS = 6.0
# How far a margin in reference.json may be from what eager computes on this machine.
MAX_MARGIN_DRIFT = 0.02
MAX_SIZE_ERROR = 0.05
# A linear that fell out of a delegate would be in the portable kernels, among the few operators that belong there.
MIN_DELEGATED_SHARE = 0.8


class Gate(StrEnum):
    """What is proven, in the order in which the gates run."""

    FILES = "files"
    MANIFEST = "manifest"
    OPERATORS = "operators"
    SIZE = "size"
    WEIGHTS = "weights"
    LOGITS = "logits"
    GREEDY = "greedy"


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
    overall = max(relative_rms(rounded, exact), ARITHMETIC_FLOOR)
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


def check_tensor(name: str, tensor: StoredTensor, bits: int, source: np.ndarray) -> tuple[float, float]:
    """Compare a stored tensor by value with its source, as a whole and row by row.

    Args:
        name: for the message.
        tensor: as read back.
        bits: per weight, as the target stores this tensor.
        source: float32.

    Returns:
        (correlation, relative error of the norm) of the whole tensor.
    """
    values = tensor.dequantize() if isinstance(tensor, QuantizedTensor) else tensor
    if values.shape != source.shape:
        raise GateError(Gate.WEIGHTS, f"{name} is stored as {values.shape}, its source is {source.shape}")
    # Sums of a row in single precision, sums of rows in double: a table has too many products for one float32 sum.
    dots, stored, wanted = (
        np.einsum("...j,...j->...", a, b).astype(np.float64).ravel()
        for a, b in ((values, source), (values, values), (source, source))
    )
    correlations, errors = _agreement(dots, stored, wanted)
    row = int(np.argmin(correlations - errors))
    if not (correlations[row] >= MIN_ROW_CORRELATION[bits] and errors[row] <= MAX_ROW_NORM_ERROR[bits]):
        raise GateError(
            Gate.WEIGHTS, f"row {row} of {name} correlates {correlations[row]:.4f} with its source, its norm is off by "
            f"{errors[row]:.2%}; needs {MIN_ROW_CORRELATION[bits]} and at most {MAX_ROW_NORM_ERROR[bits]:.1%}"
        )  # fmt: skip
    (correlation,), (error,) = _agreement(*(np.array([sums.sum()]) for sums in (dots, stored, wanted)))
    if not (correlation >= MIN_CORRELATION[bits] and error <= MAX_NORM_ERROR[bits]):
        raise GateError(
            Gate.WEIGHTS, f"{name} correlates {correlation:.5f} with its source, its norm is off by {error:.2%}; "
            f"needs {MIN_CORRELATION[bits]} and at most {MAX_NORM_ERROR[bits]:.2%}"
        )  # fmt: skip
    return float(correlation), float(error)


def _agreement(dots: np.ndarray, stored: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(correlation, relative error of the norm) from dot products and squares; empty where it should be is right."""
    product = np.sqrt(stored * wanted)
    empty = (stored == 0) & (wanted == 0)
    correlations = np.where(empty, 1.0, np.divide(dots, product, out=np.zeros_like(dots), where=product > 0))
    ratios = np.divide(np.sqrt(stored), np.sqrt(wanted), out=np.zeros_like(dots), where=wanted > 0)
    return correlations, np.where(empty, 0.0, np.abs(ratios - 1))


def check_logits(scheme: Scheme, compared: Compared, floor: Floor) -> GateResult:
    """Hold the artifact's logits against eager with the same weights and against eager with float32 weights."""
    artifact, same, exact = compared.artifact, compared.same, compared.exact
    measured = {"relative_rms": relative_rms(artifact, same)}
    measured["worst_row"], case, row = worst_row(artifact, same)
    measured["cosine_to_float32"] = _cosine(artifact, exact)
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
            Gate.LOGITS, f"cosine {measured['cosine_to_float32']:.4f} to eager in float32, {scheme} needs "
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
    if not decisive:
        raise GateError(Gate.GREEDY, f"none of {total} steps is decisive (margin above {decisive_margin:.3f})")
    return GateResult(
        gate=Gate.GREEDY,
        measured={"steps": total, "decisive": decisive, "agreed": agreed},
        thresholds={"decisive": 1, "margin": decisive_margin},
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


def _cosine(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    def dot(a: list[np.ndarray], b: list[np.ndarray]) -> float:
        return sum(float(np.einsum("ij,ij->i", x, y).sum(dtype=np.float64)) for x, y in zip(a, b, strict=True))

    return dot(left, right) / (dot(left, left) * dot(right, right)) ** 0.5
