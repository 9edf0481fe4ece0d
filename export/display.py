"""What the commands print for people, and the same as one line of JSON for programs."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from export.console import print_json
from export.jobs.events import Done, Failed
from export.jobs.plan import PlannedJob
from export.manifest import Manifest, read_manifest
from export.proof.gates import FLOOR_FACTOR, Gate, GateResult
from export.quantization import Scheme
from export.targets.base import TargetName
from export.targets.registry import get_target
from models.audit import AuditRow, flips
from models.catalog import PAIRS
from models.errors import UserError
from models.pair import Pair
from models.shape import describe

_MB = 1e6


def print_plan(planned: list[PlannedJob], as_json: bool) -> None:
    """What `--dry-run` shows: each job, its predicted bytes, what would be done and why."""
    if as_json:
        print_json({"jobs": [
            {"folder": p.job.folder, "action": p.action, "reason": p.reason, "predicted_bytes": p.predicted_bytes}
            for p in planned
        ]})  # fmt: skip
        return
    table = _table("artifact", "action", "because", ">predicted MB")
    for item in planned:
        table.add_row(escape(str(item.job.folder)), item.action, item.reason, f"{item.predicted_bytes / _MB:.1f}")
    _print(table)


def print_outcomes(
    planned: list[PlannedJob],
    done: Mapping[Path, Done | Failed],
    elapsed_s: float,
    as_json: bool,
) -> None:
    """The table at the end of an export.

    Args:
        planned: all jobs of the run.
        done: outcome by folder of those that ran.
        elapsed_s: wall time of the whole run.
        as_json: one line for programs instead.
    """
    kept = [item.job.folder for item in planned if not isinstance(done.get(item.job.folder), Failed)]
    manifests = {folder: read_manifest(folder) for folder in kept}
    if as_json:
        print_json({"elapsed_s": round(elapsed_s, 1), "jobs": [_outcome(p, done, manifests) for p in planned]})
        return
    table = _table(
        "artifact", "result", ">file MB", ">MB/token", ">cosine", ">error/floor", ">greedy", ">nats", ">s", ">peak MB"
    )
    for item in planned:
        outcome, manifest = done.get(item.job.folder), manifests.get(item.job.folder)
        if isinstance(outcome, Failed) or manifest is None:
            table.add_row(escape(item.job.label), "FAILED")
        else:
            table.add_row(escape(item.job.label), "verified" if outcome else item.action, *_figures(manifest))
    _print(table)
    made = sum(isinstance(outcome, Done) for outcome in done.values())
    _print(
        f"{made} made and verified, {len(kept) - made} up to date, {len(planned) - len(kept)} failed "
        f"under {_common_root(planned)}; {elapsed_s:.0f} s"
    )
    _print(
        "cosine: centred logits against float32 eager. error/floor: against eager with the same weights; "
        "rounding alone is 1. nats: above float32 on a text, where the weights came with a tokenizer."
    )


def print_gates(folder: Path, gates: tuple[GateResult, ...]) -> None:
    """What `verify` proved."""
    table = _table("gate", "measured", ">value", ">held to", "what")
    for gate in gates:
        for index, (name, value) in enumerate(gate.measured.items()):
            bound = gate.thresholds.get(name)
            first = (gate.gate, gate.note) if index == 0 else ("", "")
            table.add_row(first[0], name, _number(value), "" if bound is None else _number(bound), first[1])
    _print(f"{folder}: verified")
    _print(table)


def print_artifact(folder: Path, manifest: Manifest) -> None:
    """One screen about one artifact."""
    m, cost, roles = manifest, manifest.cost_per_token, manifest.bytes_by_role
    arm = f", {m.arm} arm" if m.arm else ""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in (
        ("artifact", escape(str(folder))),
        ("pair", f"{m.pair}{arm}"),
        ("shape", describe(m.shape)),
        ("for", f"{m.target} {m.scheme}, " + ", ".join(f"{k} {v}" for k, v in m.toolchain.items())),
        ("weights", _provenance(m)),
        ("file bytes", f"{m.model_bytes:,} = embedding {roles.embedding:,} + head {roles.head:,} "
                       f"+ layers {roles.layers:,} + overhead {roles.overhead:,}"),
        ("bits/weight", _pairs({k: v for k, v in _fields(m.bits_per_weight).items() if v is not None})),
        ("one token reads", f"{cost.weight_bytes_read / _MB:.1f} MB of weights + "
                            f"{cost.kv_bytes_per_position:,} bytes of KV a position"),
        ("one token computes", f"{cost.decode_flops / 1e6:.0f} MFLOP at context {cost.context}"),
        ("context", f"{m.options.max_context}, prefill in chunks of {m.options.prefill_chunk}"),
        ("attention, cache", f"{m.observed.attention_operator}; {m.observed.cache_operator or 'none'}"),
        ("delegates", _delegates(m)),
        ("inputs", ", ".join(f"{t.name} {t.dtype}[{', '.join(map(str, t.shape))}]" for t in m.observed.inputs[:2])),
        ("quality", _quality(m)),
        ("verified by", f"{m.verified_by} ({m.thoroughness})"),
        ("made in", f"{m.export.wall_ns / 1e9:.1f} s, peak {m.export.peak_memory_bytes / _MB:.0f} MB "
                    f"({_imports(m)})"),
    ):  # fmt: skip
        table.add_row(f"[bold]{name}", value)
    _print(table)
    print_gates(folder, m.gates)


def print_catalog(found: Mapping[Path, Manifest], as_json: bool) -> None:
    """Pairs, targets, schemes, artifacts."""
    if as_json:
        print_json({
            "pairs": [_fields(pair) for pair in PAIRS.values()], "targets": list(TargetName), "schemes": list(Scheme),
            "artifacts": list(found),
        })  # fmt: skip
        return
    pairs = _table("pair", "deep", "wide", "holds equal", "note")
    for pair in PAIRS.values():
        pairs.add_row(pair.name, describe(pair.deep), describe(pair.wide), _holds(pair), pair.note)
    targets = _table("target", "toolchain")
    for name in TargetName:
        targets.add_row(name, _toolchain(name))
    _print(pairs)
    _print(targets)
    _print(f"schemes: {', '.join(Scheme)}")
    for folder, manifest in found.items():
        _print(f"{folder}: {manifest.target} {manifest.scheme}, {describe(manifest.shape)}")


def print_audit(rows: list[AuditRow], as_json: bool) -> None:
    """A pair under every meaning of "the same budget"."""
    flipped = flips(rows)
    if as_json:
        print_json({"rows": rows, "flips": flipped})
        return
    table = _table(
        "equal", "tables", "wide shape", ">total M", ">body M", ">MB read", ">file MB", ">read ratio", "so the"
    )
    for row in rows:
        amounts = (
            _both(row.deep.total_parameters, row.wide.total_parameters),
            _both(row.deep.body_parameters, row.wide.body_parameters),
            _both(row.deep.weight_bytes_read, row.wide.weight_bytes_read),
            _both(row.deep.file_bytes, row.wide.file_bytes),
        )
        tables = "tied" if row.tied else "untied"
        table.add_row(row.budget, tables, describe(row.wide.shape), *amounts, f"{row.ratio:.3f}", row.reads)
    _print(f"deep shape: {describe(rows[0].deep.shape)}; amounts are deep / wide")
    _print(table)
    _print(
        "Which arm reads more bytes depends on the budget: a verdict holds for its own row only."
        if flipped
        else "The same arm reads more bytes, or neither does, under every budget."
    )


def _both(deep: int, wide: int) -> str:
    return f"{deep / 1e6:.1f} / {wide / 1e6:.1f}"


def _holds(pair: Pair) -> str:
    return f"{pair.budget}, within {pair.tolerance:.1%}" if pair.matched else "nothing: unmatched"


def _toolchain(name: TargetName) -> str:
    try:
        return ", ".join(f"{package} {version}" for package, version in get_target(name).toolchain().items())
    except UserError as error:
        return str(error)


def _outcome(
    planned: PlannedJob, done: Mapping[Path, Done | Failed], manifests: Mapping[Path, Manifest]
) -> dict[str, object]:
    job = planned.job
    outcome, manifest = done.get(job.folder), manifests.get(job.folder)
    entry: dict[str, object] = {"folder": job.folder, "action": planned.action, "reason": planned.reason}
    if isinstance(outcome, Failed):
        return {**entry, "verified": False, "failure": outcome.failure, "message": outcome.message}
    if manifest is None:
        return {**entry, "verified": False}
    size = sum(file.bytes for file in manifest.files)
    return {**entry, "verified": True, "bytes": size, "export": manifest.export, "job_id": manifest.job_id}


def _figures(m: Manifest) -> list[str]:
    gates = {gate.gate: gate.measured for gate in m.gates}
    allowed = {gate.gate: gate.thresholds for gate in m.gates}
    logits, greedy = gates[Gate.LOGITS], gates.get(Gate.GREEDY)
    return [
        f"{m.model_bytes / _MB:.1f}",
        f"{m.cost_per_token.weight_bytes_read / _MB:.1f}",
        f"{logits['cosine_to_float32']:.4f}",
        f"{FLOOR_FACTOR * logits['relative_rms'] / allowed[Gate.LOGITS]['relative_rms']:.2f}",
        f"{greedy['agreed']:.0f}/{greedy['steps']:.0f}" if greedy else "-",
        f"{m.quality.nats:+.3f}" if m.quality else "-",
        f"{m.export.wall_ns / 1e9:.1f}",
        f"{m.export.peak_memory_bytes / _MB:.0f}",
    ]


def _quality(m: Manifest) -> str:
    q = m.quality
    if q is None:
        return "not measured: the weights came without a tokenizer"
    return (
        f"{q.nats:+.4f} +- {q.standard_error:.4f} nats a token above float32, KL {q.kl:.4f}, "
        f"same likeliest token {q.top1:.0%}, over {q.tokens} tokens of {q.text}"
    )


def _imports(m: Manifest) -> str:
    memory = m.export.import_memory_bytes
    return "imports not measured" if memory is None else f"{memory / _MB:.0f} MB of it imports"


def _provenance(m: Manifest) -> str:
    if m.weights.kind == "random":
        return f"random, seed {m.weights.seed}"
    return f"checkpoint {m.weights.name}, sha256 {m.weights.sha256[:12]}..."


def _delegates(m: Manifest) -> str:
    if m.observed.delegated_share is None:
        return ", ".join(m.observed.backends)
    share = f"{m.observed.delegated_share:.0%} of the operators"
    return f"{', '.join(m.observed.backends)}: {share}, {m.observed.delegate_calls} calls a token"


def _fields(instance: object) -> dict[str, object]:
    return json.loads(TypeAdapter(type(instance)).dump_json(instance))


def _pairs(values: dict[str, object] | dict[str, float]) -> str:
    return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items())


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    return table


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.4g}"


def _common_root(planned: list[PlannedJob]) -> Path:
    return planned[0].job.folder.parents[1]


def _print(content: object) -> None:
    # A file or a pipe has no width; tables there must not be folded to 80 columns.
    console = Console()
    # Text may hold brackets of a path; only tables have styles of their own.
    markup = not isinstance(content, str)
    (console if console.is_terminal else Console(width=160)).print(content, highlight=False, markup=markup)
