"""Pages of generated records, written by the command line, and a browser to open them in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from typer.testing import CliRunner

from scripts.records import DeviceKind, Protocol, RunRecord
from scripts.report.cli import app
from scripts.testing.records.generator import (
    Campaign,
    GeneratedDevice,
    generate_records,
    pair_networks,
    sweep_networks,
    write_results,
)

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = GeneratedDevice(device_id="R5CT30", model="Phone 1", kind=DeviceKind.PHONE)


def write_page(folder: Path, records: list[RunRecord], *options: str) -> Path:
    """The page of these records."""
    write_results(records, folder / "results")
    page = folder / "report.html"
    outcome = CliRunner().invoke(app, [str(folder / "results"), "--out", str(page), *options])
    assert outcome.exit_code == 0, (outcome.output, outcome.exception)
    return page


def two_phones_and_a_fake() -> list[RunRecord]:
    """A sweep and a pair, with invalid and failed runs."""
    devices = [PHONE, GeneratedDevice(device_id="R5CT31", model="Phone 2", kind=DeviceKind.PHONE, tau_ns=90_000.0)]
    protocol = Protocol(prompt_lengths=(64,), contexts=(0, 512), decode_steps=128, sustained_s=60)
    plan = Campaign(repetitions=6, protocol=protocol, invalid_runs=1, failed_runs=1)
    networks = [*pair_networks("mobilellm-125m"), *sweep_networks()[:6]]
    records = generate_records(devices, networks, plan)
    return records + generate_records([GeneratedDevice(device_id="fake-1")], pair_networks("mobilellm-125m"), plan)


@pytest.fixture(scope="session")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    return write_page(
        folder, two_phones_and_a_fake(), "--json", str(folder / "s.json"), "--figures", str(folder / "figures")
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.is_file():
        pytest.skip(f"{CHROMIUM} is not installed: pages were not opened in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page_of(tmp_path: Path) -> Callable[[list[RunRecord]], Path]:
    return lambda records: write_page(tmp_path, records)
