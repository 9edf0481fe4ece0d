"""The whole page: sections in reading order and what its filters offer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.analysis.cells import RunState
from scripts.analysis.price.sweep import setup_prices
from scripts.claims.claim import ClaimRow
from scripts.report.kit.blocks import DataRow, Figure, Section, figures_in
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.numbers import arms_of, cell_numbers, chart_row, shapes_of
from scripts.report.sections.bandwidth import bandwidth_section
from scripts.report.sections.claims import claims_section
from scripts.report.sections.decision import decision_section
from scripts.report.sections.depth_price import depth_price_section
from scripts.report.sections.explained import explained_blocks
from scripts.report.sections.health import health_section
from scripts.report.sections.history import history_section
from scripts.report.sections.latency import latency_section
from scripts.report.sections.pairs import pairs_section
from scripts.report.sections.provenance import provenance_section


@dataclass(frozen=True, slots=True)
class Detail:
    """One pair in one setup, or a sweep."""

    setup: str
    pair: str
    label: str


@dataclass(frozen=True, slots=True)
class Page:
    """What is rendered.

    Attributes:
        banner: said above everything where there is no number; empty otherwise.
        data: every data set, once for all charts.
        contexts: contexts of the context filter, ascending.
        details: what can be looked at alone: pairs before sweeps, then the one with the most runs first.
    """

    title: str
    banner: str
    sections: Sequence[Section]
    data: dict[str, Sequence[DataRow]]
    devices: Sequence[str]
    runtimes: Sequence[str]
    schemes: Sequence[str]
    contexts: Sequence[int]
    details: Sequence[Detail]

    @property
    def figures(self) -> list[Figure]:
        """All charts."""
        return [figure for section in self.sections for figure in figures_in(section.blocks)]


def build_page(evidence: Evidence, title: str, claims: Sequence[ClaimRow]) -> Page:
    """All sections, also where there is little or nothing to show."""
    cells = cell_numbers(evidence)
    prices = setup_prices(evidence.cells)
    history = history_section(evidence.cells)
    sections = [
        decision_section(evidence),
        latency_section(evidence, cells),
        bandwidth_section(cells),
        depth_price_section(prices, evidence.views),
        pairs_section(evidence, explained_blocks(evidence, prices)),
        claims_section(claims),
        health_section(evidence),
        *([history] if history else []),
        provenance_section(evidence),
    ]
    data: dict[str, Sequence[DataRow]] = {
        "cells": [chart_row(cell) for cell in cells],
        "arms": [chart_row(cell) for cell in arms_of(cells)],
        "shapes": [chart_row(cell) for cell in shapes_of(cells)],
    }
    for section in sections:
        data.update(section.data)
    views = evidence.views.values()
    runs = Counter((cell.view.key, cell.view.full_label, cell.pair) for cell in cells for _ in range(cell.n))
    pairs = {row.pair for row in evidence.verdicts}

    def first(detail: tuple[str, str, str]) -> tuple[bool, int]:
        return detail[2] not in pairs, -runs[detail]

    return Page(
        title=title,
        banner=_banner(evidence),
        sections=sections,
        data=data,
        devices=sorted({view.device for view in views}),
        runtimes=sorted({view.runtime for view in views}),
        schemes=sorted({view.scheme for view in views}),
        contexts=sorted({cell.context for cell in cells}),
        details=[Detail(setup, pair, f"{pair} · {label}") for setup, label, pair in sorted(runs, key=first)],
    )


def _banner(evidence: Evidence) -> str:
    usable = evidence.count(RunState.USABLE)
    if not usable:
        return "No usable run: this page shows what went wrong, and no number."
    return ""
