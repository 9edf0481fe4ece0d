"""What `price` prints for people."""

from collections.abc import Sequence

from scripts.analysis.price.card import PriceCard
from scripts.analysis.price.fit import NO_INTERVAL
from scripts.analysis.price.model import Term
from scripts.analysis.price.price import Interval, PriceFit, Unidentified
from scripts.analysis.price.sweep import Checked, SetupPrice
from scripts.console import kind_note, new_table, show, shown

_NS_PER_MS, _NS_PER_US, _GB = 1e6, 1e3, 1e9


def print_price(price: SetupPrice, card: PriceCard | None, checked: Sequence[Checked]) -> None:
    """A setup's fit, its residuals and card, and how its predictions held."""
    show(f"\n{price.setup.label}{kind_note(price.setup.device.kind)}: {len(price.cells)} shapes, {price.num_runs} runs")
    if isinstance(price.outcome, Unidentified):
        _print_unidentified(price.outcome)
        for each in price.outcome.left_out:
            show(f"  left out: {each.name}, {each.reason}")
        return
    fit = price.outcome
    show(f"  {fit.label}; R2 {fit.r_squared:.3f}; condition number {fit.condition_number:.1f}")
    show(f"  tau   {_scaled(fit, fit.tau_ns, _NS_PER_US)} us a layer")
    show(f"  t0    {_scaled(fit, fit.t0_ns, _NS_PER_US)} us")
    show(f"  B_w   {_scaled(fit, fit.weight_bytes_per_s, _GB)} GB/s{_probe_share(card and card.probe_share_weights)}")
    show(f"  B_kv  {_scaled(fit, fit.kv_bytes_per_s, _GB)} GB/s{_probe_share(card and card.probe_share_kv)}")
    if Term.ATTENTION in fit.terms:
        speed = fit.attention_bytes_per_s
        show(f"  attention {_scaled(fit, speed, _GB)} GB/s of cache bytes counted once for every query head")
    for each in fit.remarks(price.probe_bytes_per_s):
        show(f"  mind: {each}")
    show(f"  left one out: median error {fit.loo_median:.1%}, worst {fit.loo_worst:.1%}")
    if fit.warning:
        show(f"  {fit.warning}")
    for each in fit.left_out:
        show(f"  left out: {each.name}, {each.reason}")
    _print_residuals(fit)
    if card:
        _print_card(card, fit.has_intervals)
    if checked:
        _print_checked(checked)


def _print_unidentified(refused: Unidentified) -> None:
    show(f"  {refused.label}")
    show(f"  {refused.reason}; {refused.advice}")
    if refused.weight_bytes_per_s and refused.intercept_ns is not None:
        rest = refused.intercept_ns / _NS_PER_MS
        show(f"  time against weight bytes: {refused.weight_bytes_per_s / _GB:.1f} GB/s, intercept {rest:.2f} ms")


def _print_residuals(fit: PriceFit) -> None:
    table = new_table("shape", ">context", ">measured ms", ">model ms", ">error", ">left out")
    for mine, out in zip(fit.residuals, fit.left_one_out, strict=True):
        load = mine.workload
        table.add_row(
            load.name, f"{load.context:.0f}", f"{mine.measured_ns / _NS_PER_MS:.3f}",
            f"{mine.model_ns / _NS_PER_MS:.3f}", f"{mine.error:+.1%}", f"{out.error:+.1%}",
        )  # fmt: skip
    show(table)


def _print_card(card: PriceCard, has_intervals: bool) -> None:
    ms = card.ms_per_layer
    told = f" [{ms.low:.4f} to {ms.high:.4f}]" if has_intervals else ", no interval"
    show(f"  depth price card: {ms.value:.4f} ms for each further layer{told}")
    table = new_table(
        "pair",
        "scheme",
        ">context",
        ">deep ms",
        ">wide ms",
        ">gap ms",
        ">gap",
        "95 % interval",
        ">break-even us",
    )
    for gap in card.gaps:
        relative = gap.relative
        table.add_row(
            gap.pair, gap.scheme, str(gap.context),
            f"{gap.deep_ns / _NS_PER_MS:.2f}", f"{gap.wide_ns / _NS_PER_MS:.2f}",
            f"{gap.gap_ns.value / _NS_PER_MS:.2f}", f"{relative.value:+.1%}",
            f"{relative.low:+.1%} to {relative.high:+.1%}" if has_intervals else NO_INTERVAL,
            " / ".join("-" if e.tau_ns is None else f"{e.tau_ns / _NS_PER_US:.0f}" for e in gap.break_even),
        )  # fmt: skip
    show(table)
    show("  break-even: the price of a layer that makes the deep arm 5 / 10 / 25 % slower, - where bytes alone do")


def _print_checked(checked: Sequence[Checked]) -> None:
    table = new_table(
        "not in the fit", ">context", ">runs", ">measured ms", ">predicted ms", "95 % interval", ">error", "covered"
    )
    for each in checked:
        p = each.predicted
        table.add_row(
            each.workload.name, f"{each.workload.context:.0f}", str(each.runs), f"{each.measured_ns / _NS_PER_MS:.3f}",
            f"{p.value / _NS_PER_MS:.3f}", f"{p.low / _NS_PER_MS:.3f} to {p.high / _NS_PER_MS:.3f}",
            f"{each.error:+.1%}", "yes" if each.covered else "no",
        )  # fmt: skip
    show(table)


def _probe_share(share: float | None) -> str:
    return "" if share is None else f", {share:.0%} of the runs' own probe"


def _scaled(fit: PriceFit, interval: Interval, unit: float) -> str:
    if not fit.has_intervals:
        return f"{shown(interval.value / unit)} [no interval]"
    return f"{shown(interval.value / unit)} [{shown(interval.low / unit)} to {shown(interval.high / unit)}]"
