"""Section: what exactly was run, on what, by which program."""

from collections import Counter
from collections.abc import Iterable

from models.shape import describe
from scripts.records import RunRecord
from scripts.report.kit.blocks import Block, Column, Row, Section, Table, in_group
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.words import MISSING, megabytes, number
from scripts.report.sections.health import record_device


def provenance_section(evidence: Evidence) -> Section:
    """Devices, artifacts, harnesses and protocols."""
    records = evidence.records
    blocks: list[Block] = [
        _devices(records),
        _setups(evidence),
        _artifacts(evidence),
        _programs(records),
        _protocols(records),
    ]
    lead = (
        "Two numbers of this page were compared only if they share device, OS build, harness, runtime, charging "
        "state and protocol.",
    )
    filled = [block for block in blocks if isinstance(block, Table) and block.rows]
    return Section(
        "provenance", "Provenance", lead, in_group("Devices, setups, artifacts, harness builds and protocols", filled)
    )


def _devices(records: Iterable[RunRecord]) -> Table:
    lines = Counter(
        (
            record_device(r),
            r.device.os,
            r.device.os_version,
            r.device.os_build,
            r.device.soc or MISSING,
            r.device.abi,
            str(len(r.device.cores)),
            number(r.device.ram_bytes / 1e9 if r.device.ram_bytes else None),
        )
        for r in records
    )
    columns = (*_texts("device", "OS", "version", "build", "SoC", "ABI"), *_numbers("cores", "RAM GB", "runs"))
    return Table("Devices", columns, [Row((*line, str(count))) for line, count in sorted(lines.items())])


def _setups(evidence: Evidence) -> Table:
    rows = [
        Row(
            (
                view.full_label,
                setup.runtime or MISSING,
                str(setup.harness),
                setup.os_build,
                {True: "yes", False: "no", None: MISSING}[setup.plugged],
            ),
            view,
        )
        for setup, view in evidence.views.items()
    ]
    return Table(
        "Setups: what runs must share to be compared",
        _texts("setup", "runtime", "harness", "OS build", "charging"),
        rows,
    )


def _artifacts(evidence: Evidence) -> Table:
    seen = {cell.artifact.manifest_sha256: cell for cell in evidence.cells}
    rows = [
        Row(
            (
                cell.artifact.pair,
                cell.artifact.shape_name,
                describe(cell.artifact.shape),
                str(cell.artifact.target),
                str(cell.artifact.scheme),
                megabytes(cell.artifact.model_bytes),
                megabytes(cell.artifact.weight_bytes_read),
                number(cell.artifact.kv_bytes_per_position / 1e3),
                cell.artifact.content_id[:12],
                cell.artifact.manifest_sha256[:12],
            )
        )
        for cell in seen.values()
    ]
    columns = (
        *_texts("pair", "shape", "layers x width", "target", "scheme"),
        *_numbers("file MB", "weights read MB", "KV kB a position"),
        *_texts("job id", "manifest SHA-256"),
    )
    return Table("Artifacts; ids and hashes are cut to 12 digits, the records hold them whole", columns, rows)


def _programs(records: Iterable[RunRecord]) -> Table:
    lines = Counter(
        (
            r.harness.name,
            r.harness.version,
            r.harness.build or MISSING,
            "debug" if r.harness.debug else "release",
            f"{r.observed.name} {r.observed.version}" if r.observed else MISSING,
            ", ".join(r.observed.backends) if r.observed and r.observed.backends else MISSING,
        )
        for r in records
    )
    columns = (*_texts("harness", "version", "build", "kind", "runtime", "backends it reported"), *_numbers("runs"))
    return Table(
        "Harness builds and runtimes", columns, [Row((*line, str(count))) for line, count in sorted(lines.items())]
    )


def _protocols(records: Iterable[RunRecord]) -> Table:
    lines: Counter[tuple[str, ...]] = Counter()
    for record in records:
        p = record.request.protocol
        lines[
            (
                str(p.backend),
                str(p.load_mode),
                ", ".join(map(str, p.prompt_lengths)),
                ", ".join(map(str, p.contexts)),
                str(p.num_threads),
                str(p.decode_steps),
                str(p.warm_up_steps),
                number(p.probe.buffer_bytes / 1e6),
                str(p.sustained_s or MISSING),
            )
        ] += 1
    columns = (
        *_texts("backend", "load", "prompt lengths", "contexts"),
        *_numbers("threads", "steps", "warm-up steps", "probe MB", "sustained s", "runs"),
    )
    return Table("Protocols", columns, [Row((*line, str(count))) for line, count in sorted(lines.items())])


def _texts(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title) for title in titles)


def _numbers(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, numeric=True) for title in titles)
