"""The page in a real browser: nothing leaves it, nothing goes wrong in it, everybody can read it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from export.targets.base import TargetName
from scripts.records import DeviceKind, RunRecord
from scripts.testing.records.generator import Campaign, GeneratedDevice, generate_records, pair_networks, sweep_networks
from tests.limits import HUNG_S
from tests.scripts.report.conftest import PHONE

SECTIONS = ("decision", "latency", "bandwidth", "price", "pairs", "claims", "health", "provenance")
PHONE_WIDTH, DESK_WIDTH, SCREEN_HEIGHT = 390, 1280, 900
PAPER_WIDTH = 703  # A4 less the margins of 12 mm, at 96 dpi


@dataclass
class Opened:
    page: Page
    troubles: list[str] = field(default_factory=list)


def open_page(browser: Browser, path: Path, width: int = DESK_WIDTH, scheme: str = "light") -> Opened:
    context = browser.new_context(viewport={"width": width, "height": SCREEN_HEIGHT}, color_scheme=scheme)
    opened = Opened(context.new_page())
    page, troubles = opened.page, opened.troubles
    page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request", lambda asked: troubles.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None
    )
    page.goto(path.as_uri())
    drawn(page, 1)
    return opened


def drawn(page: Page, times: int) -> None:
    page.wait_for_function(f"Number(document.documentElement.dataset.drawn) >= {times}", timeout=1000 * HUNG_S)


def test_every_section_and_chart_is_drawn_without_a_request_or_an_error(browser: Browser, full_page: Path):
    opened = open_page(browser, full_page)
    for anchor in SECTIONS:
        assert opened.page.locator(f"#{anchor} > h2").inner_text()
        assert len(opened.page.locator(f"#{anchor}").inner_text()) > 100, anchor
    charts = opened.page.locator(".chart")
    assert charts.count() >= 10
    for place in range(charts.count()):
        chart = charts.nth(place)
        assert chart.locator("svg").count() == 1, chart.get_attribute("id")
        assert chart.get_attribute("aria-label")
    assert opened.troubles == []


def test_a_chart_below_a_fold_takes_the_width_it_finds_when_the_fold_is_opened(browser: Browser, full_page: Path):
    page = open_page(browser, full_page, PHONE_WIDTH).page
    fold = page.locator("#latency details.group", has=page.locator("#chart-timeline"))
    assert page.locator("#chart-timeline").is_hidden()
    fold.locator("> summary").click()
    drawn(page, 2)
    chart = page.locator("#chart-timeline svg").bounding_box()
    assert chart is not None
    assert PHONE_WIDTH / 2 < chart["width"] <= PHONE_WIDTH
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH


def test_the_first_screen_has_quality_then_one_sentence_then_the_chart(browser: Browser, full_page: Path):
    page = open_page(browser, full_page).page
    places = [page.locator(each).bounding_box() for each in ("ul.notes", "p.headline", "#chart-verdicts")]
    tops = [place["y"] for place in places if place]
    assert tops == sorted(tops)
    assert len(tops) == 3
    last = places[-1]
    assert last is not None
    assert last["y"] + last["height"] <= SCREEN_HEIGHT


def test_two_phones_with_two_runtimes_fit_six_screens(browser: Browser, page_of: Callable[[list[RunRecord]], Path]):
    phones = [PHONE, GeneratedDevice(device_id="R5CT31", model="Phone 2", kind=DeviceKind.PHONE, tau_ns=90_000.0)]
    plan = Campaign(targets=(TargetName.EXECUTORCH, TargetName.ONNX), repetitions=5)
    records = generate_records(phones, [*pair_networks("mobilellm-125m"), *sweep_networks()[:6]], plan)
    page = open_page(browser, page_of(records)).page
    assert page.evaluate("document.documentElement.scrollHeight") <= 6 * SCREEN_HEIGHT
    said = page.locator(".headline").inner_text()
    assert said.startswith("mobilellm-125m: wide is faster in 8 of 8 comparisons, ")


def test_the_policy_forbids_the_network(browser: Browser, full_page: Path):
    opened = open_page(browser, full_page)
    blocked = opened.page.evaluate("fetch('https://example.com/').then(() => 'sent', () => 'blocked')")
    assert blocked == "blocked"
    assert any("Content Security Policy" in line for line in opened.troubles)
    policy = opened.page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE_WIDTH, DESK_WIDTH])
def test_it_fits_its_width_and_is_accessible(
    browser: Browser, full_page: Path, tmp_path: Path, width: int, scheme: str
):
    opened = open_page(browser, full_page, width, scheme)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.page.screenshot(path=tmp_path / f"{width}-{scheme}.png", full_page=True)
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()


def test_filters_hide_rows_cards_and_marks_and_work_from_the_keyboard(browser: Browser, full_page: Path):
    page = open_page(browser, full_page).page
    cards = page.locator("#decision article:not([hidden])")
    assert cards.count() == 3
    page.locator("[data-filter=device]").focus()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    drawn(page, 3)
    assert cards.count() == 1
    assert "R5CT31" in (cards.first.text_content() or "")
    assert page.locator("#decision details.group:visible").count() == 1
    text = page.locator("#chart-latency").inner_text()
    assert "R5CT31" in text
    assert "R5CT30" not in text
    assert page.locator("tr[data-device^='R5CT30']:visible").count() == 0


def test_the_context_filter_changes_what_is_drawn(browser: Browser, full_page: Path):
    page = open_page(browser, full_page).page
    before = page.locator("#chart-latency").inner_html()
    page.locator("[data-filter=context]").select_option("0")
    drawn(page, 2)
    assert page.locator("#chart-latency").inner_html() != before


def test_the_theme_can_be_changed_and_paper_is_white(browser: Browser, full_page: Path):
    page = open_page(browser, full_page).page
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.locator("#theme").click()
    dark = page.evaluate(paper)
    assert dark != light
    page.emulate_media(media="print")
    assert page.evaluate(paper) == light
    assert page.locator("form.filters").is_hidden()
    page.set_viewport_size({"width": PAPER_WIDTH, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER_WIDTH
    assert len(page.pdf(prefer_css_page_size=True)) > 10_000


def test_texts_of_a_record_are_text(browser: Browser, page_of: Callable[[list[RunRecord]], Path]):
    evil = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    device = GeneratedDevice(device_id="evil", model=evil, kind=DeviceKind.PHONE, os_build="</script><b id=owned>")
    opened = open_page(browser, page_of(generate_records([device], pair_networks("tiny"), Campaign(repetitions=5))))
    assert "owned" not in opened.page.title()
    assert opened.page.locator("#owned").count() == 0
    assert evil in opened.page.locator("#decision").inner_text()
    assert opened.troubles == []


def test_a_fit_draws_its_interval(browser: Browser, full_page: Path):
    tau = open_page(browser, full_page).page.locator("#chart-tau svg")
    assert tau.locator(".role-mark.mark-rule line").count() == 2


def test_one_run_a_shape_draws_points_without_intervals(browser: Browser, page_of: Callable[[list[RunRecord]], Path]):
    path = page_of(generate_records([PHONE], sweep_networks(), Campaign(repetitions=1)))
    price = open_page(browser, path).page.locator("#price")
    assert "(no interval; 10 usable runs of 10 shapes)" in (price.text_content() or "")
    tau = price.locator("#chart-tau svg")
    assert tau.locator(".mark-symbol path").count() == 1
    assert tau.locator(".role-mark.mark-rule line").count() == 0
    assert tau.get_by_text("n 10").count() == 1


def _one_arm() -> list[RunRecord]:
    records = generate_records([PHONE], pair_networks("tiny"), Campaign(repetitions=5))
    return [record for record in records if record.artifact and record.artifact.arm == "deep"]


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        (_one_arm, "no setup has both arms of a pair"),
        (
            lambda: generate_records([PHONE], pair_networks("tiny"), Campaign(repetitions=3, failed_runs=99)),
            "no run is usable",
        ),
        (
            lambda: generate_records([PHONE], pair_networks("tiny"), Campaign(repetitions=3, invalid_runs=99)),
            "no run is usable",
        ),
        (lambda: generate_records([PHONE], pair_networks("tiny"), Campaign(repetitions=2)), "more runs are needed"),
    ],
    ids=["one-arm", "only-failures", "only-invalid", "too-few-runs"],
)
def test_little_or_nothing_to_show_is_said_in_words(
    browser: Browser,
    page_of: Callable[[list[RunRecord]], Path],
    records: Callable[[], list[RunRecord]],
    sentence: str,
):
    opened = open_page(browser, page_of(records()))
    assert sentence in opened.page.locator("#decision").inner_text()
    assert opened.troubles == []
    assert Axe().run(opened.page).violations_count == 0
