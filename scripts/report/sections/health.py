"""Section: can the devices be trusted? Temperature, spread between runs, everything that did not work."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

import altair as alt

from scripts.analysis.cells import RunState, run_state
from scripts.analysis.health import DeviceHealth, device_health
from scripts.analysis.metrics import MetricName
from scripts.records import Failed, Running, RunRecord, Severity, Skipped
from scripts.records.comparable import DeviceKey, device_key
from scripts.report.kit.blocks import Block, Column, DataRow, Figure, Row, Section, Table, in_group
from scripts.report.kit.charts import finish, named, row_names, rows_of, series_color, tooltip
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.palette import css
from scripts.report.kit.setups import NOT_A_PHONE, device_name, network_name, series_of, tags
from scripts.report.kit.words import MISSING, number, percent, plural

# A table of thousands of rows helps nobody; the counts above it are complete.
MAX_LISTED = 200


def health_section(evidence: Evidence) -> Section:
    """Counts, temperature, spread, and every run that is not usable with its reason."""
    temperatures, spread = temperature_rows(evidence.records), spread_rows(evidence)
    blocks: list[Block] = [_devices(evidence)]
    lead = ["Runs that are not usable are shown and counted here and enter no number of this page."]
    if temperatures:
        blocks += in_group("Temperature during the campaign", [_strip(temperatures)])
    else:
        lead.append("No device reported a battery temperature, so heat was not observed.")
    if spread:
        blocks += in_group("How much repeated runs differ", [_spread()])
    unusable = [record for record in evidence.records if run_state(record) is not RunState.USABLE]
    if total := len(unusable) + len(evidence.loaded.unreadable):
        blocks += in_group(f"{plural(total, 'run')} that entered no number, and why", [_unusable(evidence, unusable)])
    if warnings := _warnings(evidence.records):
        blocks += in_group("Warnings on runs that were used", [warnings])
    return Section(
        "health",
        "Device health",
        lead=tuple(lead),
        blocks=blocks,
        data={"temperature": temperatures, "spread": spread},
    )


def record_device(record: RunRecord) -> str:
    """The device with its warning."""
    return marked(device_key(record))


def marked(device: DeviceKey) -> str:
    """A device's name with what says that it is no phone."""
    warning = NOT_A_PHONE.get(device.kind)
    return f"{device_name(device)} [{warning}]" if warning else device_name(device)


def why(record: RunRecord) -> str:
    """What made a run unusable."""
    match record.outcome:
        case Failed(stage=stage, failure=failure, message=message):
            return f"{failure} in {stage}: {message}"
        case Skipped(message=message):
            return message
        case Running(stage=stage):
            return f"the process ended in {stage} before it wrote an outcome"
        case _:
            return "; ".join(f"{c.code}: {c.detail}" for c in record.concerns if c.severity is Severity.INVALID)


def temperature_rows(records: Sequence[RunRecord]) -> list[DataRow]:
    """The data set `temperature`: battery in Celsius at the start of each run, by place in the device's queue."""
    rows: list[DataRow] = []
    places: Counter[str] = Counter()
    for record in sorted(records, key=lambda each: each.started_utc):
        before, after = record.environment_before, record.environment_after
        if before is None or before.battery_celsius is None:
            continue
        device = record_device(record)
        places[device] += 1
        rows.append(
            {
                "device": device_name(device_key(record)),
                "row": device,
                "name": device,
                "where": "",
                "place": places[device],
                "next": places[device] + 1,
                "celsius": before.battery_celsius,
                "after": after.battery_celsius if after else None,
                "state": str(run_state(record)),
            }
        )
    return rows


def spread_rows(evidence: Evidence) -> list[DataRow]:
    """The data set `spread`: each run's p50 at the first context, in percent of the cell's median."""
    rows: list[DataRow] = []
    for cell in evidence.measured:
        context = cell.key.setup.protocol.contexts[0]
        middle = cell.median(MetricName.DECODE_P50_MS, context)
        values = [run.get(MetricName.DECODE_P50_MS, context) for run in cell.metrics]
        if middle is None:
            continue
        view = evidence.view(cell)
        rows += [
            {
                **tags(view),
                "row": f"{view.full_label} · {network_name(cell)}",
                "name": network_name(cell),
                "series": series_of(cell),
                "percent": round(100 * (value / middle - 1), 2),
                "run": run.run_id,
            }
            for value, run in zip(values, cell.runs, strict=True)
            if value is not None
        ]
    return rows


def _devices(evidence: Evidence) -> Table:
    columns = (
        Column("device"),
        Column("grade"),
        *(Column(title, numeric=True) for title in ("stability, 0 to 100", "spread between runs", "worst drift")),
        *(Column(str(state), numeric=True) for state in RunState),
        Column("all", numeric=True),
    )
    counts: dict[str, Counter[RunState]] = {}
    for record in evidence.records:
        counts.setdefault(record_device(record), Counter())[run_state(record)] += 1
    graded = {marked(each.device): each for each in device_health(evidence.cells)}
    rows = [_device_row(device, graded.get(device), states) for device, states in sorted(counts.items())]
    caption = (
        "Steadiness: ExecuTorch's stability score, the coefficient of variation between runs (medians over cells), "
        "and last third / first third of a decode phase; then runs by what they are good for"
    )
    return Table(caption, columns, rows)


def _device_row(device: str, health: DeviceHealth | None, states: Counter[RunState]) -> Row:
    steady = (MISSING,) * 4
    if health:
        steady = (str(health.grade), number(health.score), percent(health.spread), number(health.worst_drift))
    return Row((device, *steady, *(str(states[state]) for state in RunState), str(states.total())))


def _temperatures(rows: Sequence[DataRow]) -> Table:
    by_device: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        before, after = float(row["celsius"] or 0.0), row["after"]
        by_device.setdefault(str(row["row"]), []).append(
            (before, (float(after) if after is not None else before) - before)
        )
    columns = ("runs", "lowest before", "median before", "highest before", "largest rise in a run")
    return Table(
        "Battery in °C",
        (Column("device"), *(Column(title, numeric=True) for title in columns)),
        [_temperature_row(device, values) for device, values in by_device.items()],
    )


def _temperature_row(device: str, values: Sequence[tuple[float, float]]) -> Row:
    before = sorted(each for each, _ in values)
    numbers = (before[0], median(before), before[-1], max(rise for _, rise in values))
    return Row((device, f"{len(values):,}", *(f"{each:.1f}" for each in numbers)))


def _strip(rows: Sequence[DataRow]) -> Figure:
    x = alt.X("place:Q", title="place in the device's queue", scale=alt.Scale(nice=False))
    color = alt.Color(
        "celsius:Q",
        title="°C",
        scale=alt.Scale(range=["#3b5b92", "#8fa9b8", "#e3d9b6", "#d98e4a", "#a1341f"]),
        legend=alt.Legend(orient="top", gradientLength=140, gradientThickness=8),
    )
    cell = (
        named("temperature")
        .mark_rect(height=14)
        .encode(
            x=x,
            x2="next:Q",
            y=rows_of(),
            color=color,
            tooltip=tooltip(
                ("row:N", "device"),
                ("place:Q", "place"),
                ("celsius:Q", "°C before"),
                ("after:Q", "°C after"),
                ("state:N", "run"),
            ),
        )
    )
    return Figure(
        name="temperature",
        question="Did the devices warm up during the campaign?",
        spec=finish([cell, *row_names("temperature")]),
        note="Battery in °C before each run, one block for each run in the order they started (n = blocks). Read per "
        "device; the colour scale spans all devices.",
        table=_temperatures(rows),
    )


def _spread() -> Figure:
    x = alt.X("percent:Q", title="% off the median of its cell")
    zero = alt.Chart(alt.InlineData([{"percent": 0}])).mark_rule(strokeWidth=1, color=css("rule")).encode(x="percent:Q")
    tick = (
        named("spread")
        .mark_tick(thickness=2, size=14, opacity=0.75)
        .encode(
            x=x,
            y=rows_of(),
            color=series_color(),
            tooltip=tooltip(("run:N", "run"), ("percent:Q", "% off")),
        )
    )
    return Figure(
        name="spread",
        question="How much do repeated runs of the same thing differ?",
        spec=finish([zero, tick, *row_names("spread")]),
        note="One tick for each usable run (n = ticks): its p50 in % off the median of its cell, first context. "
        "A spread of a few percent hides differences of a few percent.",
        table=Table("Lowest and highest runs are in the tables of latency", (), ()),
    )


def _unusable(evidence: Evidence, records: Sequence[RunRecord]) -> Table:
    rows = [
        Row((record.run_id, record_device(record), _artifact(record), str(run_state(record)), why(record)))
        for record in records[:MAX_LISTED]
    ]
    rows += [
        Row((str(bad.path.parent.name), MISSING, MISSING, "unreadable", bad.reason))
        for bad in evidence.loaded.unreadable[:MAX_LISTED]
    ]
    total = len(records) + len(evidence.loaded.unreadable)
    shown = f"; the first {len(rows)} of them" if len(rows) < total else ""
    columns = tuple(Column(title) for title in ("run", "device", "artifact", "state", "reason"))
    return Table(f"{plural(total, 'run')} that entered no number{shown}", columns, rows)


def _artifact(record: RunRecord) -> str:
    facts = record.artifact
    return f"{facts.pair} {facts.shape_name}, {facts.target} {facts.scheme}" if facts else MISSING


def _warnings(records: Sequence[RunRecord]) -> Table | None:
    found: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for concern in record.concerns:
            if concern.severity is Severity.WARNING:
                found.setdefault((record_device(record), str(concern.code)), []).append(concern.detail)
    if not found:
        return None
    rows = [Row((device, code, f"{len(texts):,}", texts[0])) for (device, code), texts in sorted(found.items())]
    columns = (Column("device"), Column("warning"), Column("runs", numeric=True), Column("for example"))
    return Table("Warnings on runs that were used", columns, rows)
