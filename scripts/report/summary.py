"""The summary for programs: decisions, verdicts and counts. Numbers that were not measured are null."""

import math
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scripts.analysis.cells import RunState
from scripts.report.kit.evidence import Evidence
from scripts.report.sections.decision import Choice, Decision, decisions

SUMMARY_SCHEMA = "deepnarrow/report-summary/1"


class VerdictSummary(BaseModel):
    """A verdict at one context; ratio is deep / wide.

    Attributes:
        judged: which runs it is about, and so which `runs_deep` and `runs_wide` count.
        minimum_effect: smallest relative slowdown that such runs would show in 80 % of repetitions.
        slow_deep: runs of the deep arm in the slow mode; null where there is one mode.
        slow_wide: the same of the wide arm.
    """

    model_config = ConfigDict(frozen=True)
    context: int | None
    word: str
    ratio: float | None
    low: float | None
    high: float | None
    p_adjusted: float
    p_all: float
    runs_deep: int
    runs_wide: int
    judged: str
    minimum_effect: float | None
    slow_deep: int | None
    slow_wide: int | None
    deep_ms: float | None
    wide_ms: float | None
    reason: str


class DecisionSummary(BaseModel):
    """One pair in one setup."""

    model_config = ConfigDict(frozen=True)
    setup: str
    device: str
    phone: bool
    runtime: str
    scheme: str
    pair: str
    choice: Choice
    verdicts: tuple[VerdictSummary, ...]


class Summary(BaseModel):
    """Schema `deepnarrow/report-summary/1`.

    Attributes:
        runs: number of runs by what they are good for.
    """

    model_config = ConfigDict(frozen=True)
    schema_: Literal["deepnarrow/report-summary/1"] = Field(SUMMARY_SCHEMA, alias="schema")
    page: str
    runs: dict[RunState, int]
    unreadable: int
    decisions: tuple[DecisionSummary, ...]


def summarize(evidence: Evidence, page: Path) -> Summary:
    """Of everything on the page that a program decides by."""
    return Summary(
        schema=SUMMARY_SCHEMA,
        page=str(page),
        runs={state: evidence.count(state) for state in RunState},
        unreadable=len(evidence.loaded.unreadable),
        decisions=tuple(map(_decision, decisions(evidence))),
    )


def _decision(decision: Decision) -> DecisionSummary:
    view = decision.view
    return DecisionSummary(
        setup=view.label,
        device=view.device,
        phone=not view.warning,
        runtime=view.runtime,
        scheme=view.scheme,
        pair=decision.pair,
        choice=decision.choice,
        verdicts=tuple(
            VerdictSummary(
                context=row.at,
                word=str(row.verdict.word),
                ratio=_finite(row.verdict.ratio),
                low=_finite(row.verdict.low),
                high=_finite(row.verdict.high),
                p_adjusted=row.verdict.p_adjusted,
                p_all=row.p_all,
                runs_deep=row.verdict.n_a,
                runs_wide=row.verdict.n_b,
                judged=str(row.verdict.judged),
                minimum_effect=_finite(row.verdict.minimum_effect),
                slow_deep=sum(row.verdict.modes.slow_a) if row.verdict.modes else None,
                slow_wide=sum(row.verdict.modes.slow_b) if row.verdict.modes else None,
                deep_ms=row.deep.median(row.metric, row.at),
                wide_ms=row.wide.median(row.metric, row.at),
                reason=row.verdict.reason,
            )
            for row in decision.rows
        ),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
