"""The command line where a device or a file is not well: one line, the right exit code."""

import sys
from pathlib import Path

import pytest

from scripts.farm import cli, quick
from scripts.farm.device import Device, DiscoveryOptions, Problem
from scripts.farm.discovery import Discovery
from scripts.farm.store.index import INDEX_FILE
from scripts.records import DeviceKind, RunRecord, Skipped
from tests.scripts.farm.doubles import FACTS, ScriptedPhone, identity

HOT = "battery at 46.0 C, above max_battery_celsius 37.0 after 300 s"


class HotPhone(ScriptedPhone):
    """Its harness waits for the start limits and gives up."""

    async def run(self, *arguments: object) -> RunRecord:
        record = await super().run(*arguments)  # pyright: ignore[reportArgumentType]
        return record.model_copy(update={"outcome": Skipped(message=HOT)})


class HotDiscovery:
    async def devices(self) -> list[Device]:
        named = identity()
        facts = FACTS.model_copy(update={"kind": DeviceKind.FAKE})
        return [HotPhone(type(named)(device_id=named.device_id, facts=facts))]

    async def problems(self) -> list[Problem]:
        return []


def main(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["farm", *map(str, words)])
    return cli.main()


def test_quick_on_a_hot_phone_says_why_there_is_no_verdict(
    tiny_artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def only(_options: DiscoveryOptions) -> list[Discovery]:
        return [HotDiscovery()]

    monkeypatch.setattr(quick, "all_discoveries", only)
    code = main(monkeypatch, "quick", "tiny", "--artifacts", tiny_artifacts, "--results", tmp_path, "--no-tty")
    told = capsys.readouterr().err
    assert code == 1, told
    assert f"p1 stopped: the canary run failed, so nothing else was begun: {HOT}" in told
    assert "1 skipped" in told
    assert "no valid runs" in told


def test_a_damaged_index_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / INDEX_FILE).write_bytes(b"no database" * 500)
    assert main(monkeypatch, "status", "--results", tmp_path) == 1
    told = capsys.readouterr().err.strip()
    assert "file is not a database" in told
    assert "\n" not in told
