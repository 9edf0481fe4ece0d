"""The charts as pictures, drawn by vl-convert without a browser."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert as vlc

from export.files import write_bytes
from scripts.report.kit.blocks import DataRow, Figure
from scripts.report.kit.palette import LIGHT, resolved
from scripts.report.page import Detail, Page

WIDTH, SCALE = 760, 2.0
_NOTE_COLUMNS = 125


def write_figures(page: Page, folder: Path) -> list[Path]:
    """SVG and PNG of each chart, as the page shows it at first: last context, first setup.

    Returns:
        the files written.
    """
    folder.mkdir(exist_ok=True)
    written: list[Path] = []
    for figure in page.figures:
        spec = _standalone(page, figure)
        if spec is None:
            continue
        version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
        svg = vlc.vegalite_to_svg(spec, vl_version=version)
        png = vlc.vegalite_to_png(spec, vl_version=version, scale=SCALE)
        for suffix, content in ((".svg", svg.encode()), (".png", png)):
            written.append(folder / f"{figure.name}{suffix}")
            write_bytes(written[-1], content)
    return written


def _standalone(page: Page, figure: Figure) -> str | None:
    """The specification with its data, colours and a title that says what is shown; None without data."""
    text = json.dumps(figure.spec)
    names = [name for name in page.data if json.dumps({"name": name}) in text]
    detail = _detail(page, figure, [row for name in names for row in page.data[name]])
    data = {name: _shown(page, figure, page.data[name], detail) for name in names}
    if not any(data.values()):
        return None
    spec: dict[str, Any] = json.loads(resolved(text))
    spec["datasets"] = {**spec.get("datasets", {}), **data}
    spec["width"] = WIDTH
    spec["background"] = LIGHT["paper"]
    spec["padding"] = 14
    spec["title"] = {
        "text": figure.question,
        "subtitle": _subtitle(page, figure, detail, [row for rows in data.values() for row in rows]),
        "anchor": "start",
        "fontSize": 14,
        "subtitleFontSize": 11,
        "color": LIGHT["ink"],
        "subtitleColor": LIGHT["soft"],
        "offset": 12,
    }
    return json.dumps(spec)


def _detail(page: Page, figure: Figure, rows: Sequence[DataRow]) -> Detail | None:
    """The first of the page's setups, and pairs in them, that the chart has rows of; None for a chart of all."""
    if not figure.one_setup:
        return None
    known = {(row.get("setup"), row.get("pair") if figure.one_pair else None) for row in rows}
    return next((each for each in page.details if (each.setup, each.pair if figure.one_pair else None) in known), None)


def _subtitle(page: Page, figure: Figure, detail: Detail | None, rows: Sequence[DataRow]) -> list[str]:
    """What is shown, and the note with units, interval and n: a picture is read away from the page."""
    shown: list[str] = []
    if detail:
        shown.append(detail.label if figure.one_pair else detail.label.partition(" · ")[2])
    if any("context" in row for row in rows) and not figure.all_contexts:
        shown.append(f"context {page.contexts[-1]}")
    first = [", ".join(shown)] if shown else []
    return [*first, *textwrap.wrap(figure.note, _NOTE_COLUMNS)]


def _shown(page: Page, figure: Figure, rows: Sequence[DataRow], detail: Detail | None) -> list[DataRow]:
    if figure.one_setup and detail is None:
        return []
    setup = detail.setup if detail else None
    pair = detail.pair if detail and figure.one_pair else None
    context = page.contexts[-1] if page.contexts and not figure.all_contexts else None
    return [
        row
        for row in rows
        if (setup is None or row.get("setup") == setup)
        and (pair is None or row.get("pair") == pair)
        and (context is None or row.get("context", context) in (context, None))
    ]
