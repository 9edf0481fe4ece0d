"""What the commands print for people."""

import math
from collections.abc import Sequence

from export.console import say
from scripts.analysis.cells import Loaded
from scripts.analysis.comparison import Comparison
from scripts.analysis.health import DeviceHealth
from scripts.analysis.history import Series, Step
from scripts.analysis.price.budget import BudgetAudit
from scripts.analysis.price.fit import NO_INTERVAL
from scripts.analysis.price.price import PriceFit
from scripts.analysis.price.recommend import Recommendation
from scripts.analysis.sessions import MIN_NETWORKS, Common, Outcome
from scripts.analysis.tables import by_setup
from scripts.console import kind_note, new_table, show, shown
from scripts.records.comparable import Setup

_NS_PER_MS = 1e6


def say_unreadable(loaded: Loaded) -> None:
    """One line for each record that could not be read."""
    for each in loaded.unreadable:
        say(f"skipped: {each.reason}")


def print_recommendations(rows: Sequence[Recommendation], fit: PriceFit, limits: Sequence[str]) -> None:
    """Shapes, best first."""
    print_fit_warning(fit)
    table = new_table("shape", ">ms", ">95 % interval", ">loss", "front", "warnings")
    for row in rows:
        shape, ms = row.shape, row.predicted_ns
        table.add_row(
            f"{shape.num_layers}x{shape.hidden_size}, ffn {shape.ffn_size}", f"{ms.value / _NS_PER_MS:.2f}",
            f"{ms.low / _NS_PER_MS:.2f} to {ms.high / _NS_PER_MS:.2f}" if fit.has_intervals else NO_INTERVAL,
            "" if row.loss is None else f"{row.loss:.2f}{' =' * row.tied}",
            "*" if row.on_front else "", "; ".join(row.warnings),
        )  # fmt: skip
    show(table)
    for each in limits:
        say(each)


def print_comparison(comparison: Comparison) -> None:
    """Candidate against baseline, a table for each setup, and what the exit code says."""
    for each in comparison.factors:
        show(f"\n{each.setup.label}{kind_note(each.setup.device.kind)}: {_common_sentence(each.common)}")
    for setup, mine in by_setup([(each.candidate.key.setup, each) for each in comparison.networks]):
        print_setup(setup)
        table = new_table("network", "candidate is", ">ratio", "90 % interval", ">p", ">runs")
        for each in mine:
            network, change = each.candidate.key.network, each.change
            interval = "" if math.isnan(change.low) else f"{shown(change.low)} to {shown(change.high)}"
            table.add_row(
                f"{network.pair}/{network.shape_name}", change.outcome, shown(change.ratio), interval,
                f"{change.p_adjusted:.2g}", f"{change.n_baseline}+{change.n_candidate}",
            )  # fmt: skip
        show(table)
        for reason in dict.fromkeys(
            f"  {each.candidate.key.network.pair}/{each.candidate.key.network.shape_name}: {each.change.reason}"
            for each in mine if each.change.outcome is Outcome.CANNOT_TELL
        ):  # fmt: skip
            say(reason)
    for each in comparison.incomparable:
        say(f"incomparable: {each.network}: {each.reason}")
    for name in comparison.missing:
        say(f"only on one side: {name}")
    say(comparison.sentence)


def _common_sentence(common: Common) -> str:
    if not common.removed:
        return (
            f"{common.networks} networks do not tell the session's common factor; {MIN_NETWORKS} would. Sessions are "
            "taken to differ by --session-sd"
        )
    return (
        f"everything took {shown(common.ratio)} times as much ({shown(common.low)} to {shown(common.high)}, "
        f"{common.networks} networks); this is removed, so a change that all networks share is not seen"
    )


def print_history(rows: Sequence[tuple[Series, Sequence[Step]]]) -> None:
    """Each series and its steps."""
    table = new_table("device", "network", ">at", ">campaigns", "steps")
    for series, steps in rows:
        told = [f"{step.ratio - 1:+.1%} at {series.campaigns[step.index]}" for step in steps]
        if series.refusal:
            told = [f"not searched: {series.refusal}"]
        name = f"{series.network[0]}/{series.network[2]} {series.runtime}"
        at = "" if series.at is None else str(series.at)
        table.add_row(series.device.id, name, at, str(len(series.values)), "; ".join(told) or "none")
    show(table)


def print_health(rows: Sequence[DeviceHealth]) -> None:
    """Each device's score."""
    table = new_table("device", "kind", ">score", "grade", ">spread", ">drift", "runs")
    for row in rows:
        counts = ", ".join(f"{count} {state}" for state, count in row.counts.items() if count)
        table.add_row(
            row.device.id, row.device.kind, "" if row.score is None else f"{row.score:.0f}", row.grade,
            "" if row.spread is None else f"{row.spread:.1%}",
            "" if row.worst_drift is None else f"{row.worst_drift:.2f}", counts,
        )  # fmt: skip
    show(table)


def print_budgets(audit: BudgetAudit, fit: PriceFit) -> None:
    """The winner under every budget."""
    print_fit_warning(fit)
    table = new_table(
        "budget", "tables", "deep", "wide", ">bytes deep / wide", ">time deep / wide", "95 % interval", "faster"
    )
    for each in audit.verdicts:
        row, ratio = each.row, each.ratio
        deep, wide = (f"{s.num_passes}x{s.hidden_size}" for s in (row.deep.shape, row.wide.shape) if s.family != "mlp")
        table.add_row(
            row.budget, "tied" if row.tied else "untied", deep, wide, f"{row.ratio:.3f}", f"{ratio.value:.3f}",
            f"{ratio.low:.3f} to {ratio.high:.3f}" if fit.has_intervals else NO_INTERVAL, each.winner,
        )  # fmt: skip
    show(table)
    say(audit.warning or "every budget has the same winner")


def print_fit_warning(fit: PriceFit) -> None:
    """Why what follows should not be relied on, where it should not."""
    if fit.warning:
        show(f"  {fit.warning}")


def print_setup(setup: Setup) -> None:
    """A heading."""
    show(f"\n{setup.label}{kind_note(setup.device.kind)}")
