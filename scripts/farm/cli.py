"""The command line: `python -m scripts.farm quick|devices|plan|run|retry|status|results|doctor|...`."""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from export.console import ExitCode, print_json, run_app, say
from models.errors import UserError
from scripts.console import print_table
from scripts.farm.campaign import Campaign, read_campaign, with_name
from scripts.farm.dask.options import DaskOptions
from scripts.farm.device import Device, Discovery, DiscoveryOptions, Problem
from scripts.farm.discovery import all_discoveries, find_devices, options_of
from scripts.farm.display import print_problems
from scripts.farm.doctor import look_around
from scripts.farm.formats.convert import RecordFormat, write_records
from scripts.farm.plan import remaining
from scripts.farm.progress import make_display
from scripts.farm.quick import QuickOptions, run_quick
from scripts.farm.results import print_results
from scripts.farm.scheduler import Summary
from scripts.farm.session import plan_campaign, run_planned
from scripts.farm.status import print_status
from scripts.farm.store.state import DevicesState
from scripts.farm.store.store import Store
from scripts.records import FailureClass
from scripts.tables import FormatOption, JsonOption, wanted_format

T = TypeVar("T")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure deep and wide models on phones and on this machine, and keep every record. Start with: quick tiny. "
    "Exit codes: 0 complete, 1 some runs failed or are missing, 2 bad input, 130 interrupted.",
)

CampaignFile = Annotated[Path, typer.Argument(help="Campaign file (TOML), such as campaigns/nightly.toml.")]
Name = Annotated[
    str | None,
    typer.Option("--name", help="Campaign name instead of the file's, to measure anew, such as nightly-2026-12-01."),
]
Results = Annotated[Path, typer.Option("--results", help="Folder of all records.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of a table.")]
NoTty = Annotated[bool, typer.Option("--no-tty", help="Append log lines instead of redrawing a line per device.")]
Server = Annotated[
    list[str] | None, typer.Option("--adb-server", metavar="HOST:PORT", help="adb server of a device lab. Repeatable.")
]
Connect = Annotated[
    list[str] | None, typer.Option("--adb-connect", metavar="HOST:PORT", help="Phone reached by TCP. Repeatable.")
]
Apk = Annotated[Path | None, typer.Option("--apk", help="Harness to install on Android phones.")]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler, to use the phones of many hosts.")
]
TlsCa = Annotated[Path | None, typer.Option("--tls-ca-file", help="Certificate authority of the Dask cluster (PEM).")]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", help="Certificate of this side (PEM).")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="Private key of this side (PEM).")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow a scheduler without TLS that other machines can reach.")
]


@app.command("quick")
def quick(
    pair: Annotated[str, typer.Argument(help="A pair from `python -m export list`, such as tiny or mobilellm-125m.")],
    artifacts: Annotated[Path, typer.Option("--artifacts", help="Artifacts; missing ones are exported here.")] = Path(
        "artifacts"
    ),
    results: Results = Path("results"),
    repetitions: Annotated[int, typer.Option("--repetitions", min=2, help="Runs of each artifact.")] = 5,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Default: 4, or all cores if there are fewer.")
    ] = None,
    adb_server: Server = None,
    adb_connect: Connect = None,
    apk: Apk = None,
    no_tty: NoTty = False,
) -> None:
    """Deep or wide? Measure one pair on the phone that is plugged in, else on this machine, in about five minutes."""
    options = options_of(adb_server, adb_connect, apk)
    asked = QuickOptions(pair=pair, artifacts=artifacts, results=results, repetitions=repetitions, threads=threads)
    _leave(_await(run_quick(asked, options, make_display(not no_tty))))


@app.command("devices")
def devices(adb_server: Server = None, adb_connect: Connect = None, as_json: AsJson = False) -> None:
    """List the devices that can be used now, with the tags that campaign files select by."""
    found, problems = _look(options_of(adb_server, adb_connect, None))
    identities = [device.identity for device in found]
    if as_json:
        print_json(
            {"devices": [{"id": i.device_id, "kind": i.kind, "tags": sorted(i.tags), "os_build": i.facts.os_build}
                         for i in identities], "problems": [asdict(each) for each in problems]}
        )  # fmt: skip
        return
    rows = [(i.device_id, i.kind, i.facts.model, f"{i.facts.os} {i.facts.os_version}", ", ".join(sorted(i.tags)))
            for i in identities]  # fmt: skip
    print_table(("device", "kind", "model", "system", "tags"), rows)
    for problem in problems:
        say(f"{problem.who}: {problem.what}; see: python -m scripts.farm doctor")


@app.command("doctor")
def doctor(
    adb_server: Server = None,
    adb_connect: Connect = None,
    results: Results = Path("results"),
    use_again: Annotated[
        str | None, typer.Option("--use-again", metavar="DEVICE", help="End this device's quarantine.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what was looked for and found, what is wrong with it, and what to do. Exit code 1 if anything is wrong.

    No phone at all is nothing wrong: this machine can be measured.
    """
    state = DevicesState(_existing(results)) if use_again or results.is_dir() else None
    if use_again and state and not state.end_quarantine(use_again):
        raise UserError(
            f"--use-again {use_again}: not one of the devices in quarantine: {', '.join(state.quarantines())}"
        )
    options = options_of(adb_server, adb_connect, None)
    found, problems = _look(options)
    findings = _await(look_around(options, found))
    problems += [
        Problem(who=device, what=f"in quarantine {reason}",
                what_to_do=f"look at the device, then: python -m scripts.farm doctor --use-again {device}")
        for device, reason in (state.quarantines() if state else {}).items()
    ]  # fmt: skip
    if as_json:
        print_json({"found": {each.what: each.found for each in findings},
                    "problems": [asdict(each) for each in problems]})  # fmt: skip
    else:
        print_table(("looked for", "found"), [(each.what, each.found) for each in findings])
        print()
        print_problems(problems)
    if problems:
        raise typer.Exit(ExitCode.FAILED)


@app.command("plan")
def plan(
    campaign_file: CampaignFile, name: Name = None, results: Results = Path("results"), as_json: AsJson = False
) -> None:
    """Show what `run` would do, in its order; nothing is touched."""
    campaign = with_name(read_campaign(campaign_file), name)
    planned = _await(plan_campaign(campaign, all_discoveries(campaign.discovery_options())))
    finished: set[str] = set()
    if results.is_dir():
        with Store(results) as store:
            finished = store.finished_slots(campaign.name)
    rows = [(each.device.identity.device_id, slot.position.order, slot.position.cell, slot.position.repetition,
             "done" if slot.slot_id in finished else "to do", slot.slot_id)
            for each in planned for slot in each.slots]  # fmt: skip
    columns = ("device", "order", "cell", "repetition", "state", "run")
    if as_json:
        print_json({"runs": [dict(zip(columns, row, strict=True)) for row in rows]})
        return
    print_table(columns, rows)
    say(f"{sum(len(remaining(each.slots, finished)) for each in planned)} of {len(rows)} runs are to do")


@app.command("run")
def run(
    campaign_file: CampaignFile,
    name: Name = None,
    results: Results = Path("results"),
    scheduler: Scheduler = None,
    tls_ca_file: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    insecure: Insecure = False,
    no_tty: NoTty = False,
    as_json: AsJson = False,
) -> None:
    """Run a campaign, or go on with it: what is recorded already is not run again."""
    campaign = with_name(read_campaign(campaign_file), name)
    dask = DaskOptions(scheduler, tls_ca_file, tls_cert, tls_key, insecure) if scheduler else None
    _leave(_await(_run(campaign, results, dask, not no_tty)), as_json)


@app.command("status")
def status(
    campaign: Annotated[str | None, typer.Argument(help="A campaign's name. Default: all.")] = None,
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Count the records of each cell, also while a campaign runs."""
    with Store(_existing(results)) as store:
        print_status(store, campaign, as_json)


@app.command("retry")
def retry(
    campaign: Annotated[str, typer.Argument(help="A campaign's name.")],
    classes: Annotated[
        list[FailureClass], typer.Option("--class", help="Class of failures, as docs/farm.md lists them. Repeatable.")
    ],
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Open places of the plan again whose runs failed in a class that was final; the next `run` fills them."""
    if FailureClass.INFRA in classes:
        others = ", ".join(each for each in FailureClass if each is not FailureClass.INFRA)
        raise UserError(f"--class INFRA: such runs are tried again by the next `run` anyway; choose from {others}")
    with Store(_existing(results)) as store:
        marked = store.reopen(campaign, classes)
    if as_json:
        print_json({"reopened": marked})
        return
    for run_id in marked:
        print(run_id)
    say(f"{len(marked)} runs of {campaign} are open again")


@app.command("results")
def results_command(
    campaign: Annotated[str | None, typer.Argument(help="A campaign's name. Default: the only one.")] = None,
    results: Results = Path("results"),
    form: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the arms of every pair that was measured under equal conditions."""
    wanted = wanted_format(form, as_json)
    with Store(_existing(results)) as store:
        print_results(store, campaign or store.only_campaign(), wanted)


@app.command("convert")
def convert(
    campaign: Annotated[str, typer.Argument(help="A campaign's name.")],
    to: Annotated[RecordFormat, typer.Option("--to", help="Format.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    results: Results = Path("results"),
) -> None:
    """Write records for other tools: every raw sample as Parquet or CSV, PyTorch's benchmark v3, androidx.benchmark."""
    with Store(_existing(results)) as store:
        problems: list[str] = []
        count = write_records(store.runs(campaign, problems), to, out)
    for line in problems:
        say(line)
    say(f"{out}: {count} completed runs of {campaign}")


@app.command("reindex")
def reindex(results: Results = Path("results")) -> None:
    """Rebuild the index from the records; files that are truncated or foreign are named and skipped."""
    with Store(_existing(results)) as store:
        count, problems = store.reindex()
    for line in problems:
        say(line)
    print(f"{count} records indexed, {len(problems)} folders skipped")


@app.command("worker")
def worker(
    scheduler: Annotated[
        str, typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler, tls:// or, on this machine, tcp://.")
    ],
    adb_server: Server = None,
    adb_connect: Connect = None,
    apk: Apk = None,
    tls_ca_file: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    insecure: Insecure = False,
) -> None:
    """Offer this host's devices to `run --scheduler`: one Dask worker each, started and stopped as they come and go."""
    from scripts.farm.dask.worker import serve

    options = options_of(adb_server, adb_connect, apk)
    dask = DaskOptions(scheduler, tls_ca_file, tls_cert, tls_key, insecure)
    try:
        _await(serve(dask, options))
    except KeyboardInterrupt:
        say("all workers are stopped")
        raise


async def _run(campaign: Campaign, results: Path, dask: DaskOptions | None, tty: bool) -> Summary:
    if dask is None:
        planned = await plan_campaign(campaign, all_discoveries(campaign.discovery_options()))
        return await run_planned(campaign, planned, results, make_display(tty))
    from scripts.farm.dask.device import connect

    async with connect(dask, campaign.discovery_options()) as discovery:
        discoveries: list[Discovery] = [discovery]
        return await run_planned(campaign, await plan_campaign(campaign, discoveries), results, make_display(tty))


def _leave(summary: Summary, as_json: bool = False) -> None:
    for device_id, reason in summary.stopped.items():
        say(f"{device_id} stopped: {reason}")
    missing = summary.planned - summary.completed - summary.failed - summary.skipped
    counts = {"planned": summary.planned, "completed": summary.completed, "failed": summary.failed,
              "skipped": summary.skipped, "missing": missing}  # fmt: skip
    if as_json:
        print_json({**counts, "stopped": summary.stopped})
    else:
        say(", ".join(f"{count} {name}" for name, count in counts.items()))
    if not summary.is_complete:
        raise typer.Exit(ExitCode.FAILED)


def _look(options: DiscoveryOptions) -> tuple[list[Device], list[Problem]]:
    return _await(find_devices(all_discoveries(options)))


def _existing(results: Path) -> Path:
    if not results.is_dir():
        raise UserError(f"--results {results}: no such folder; `run` and `quick` make one")
    return results


def _await(work: Coroutine[object, object, T]) -> T:
    """Run to the end; cancelled work was interrupted."""
    try:
        return asyncio.run(work)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def main() -> int:
    """Run a command; the exit code."""
    return run_app(app, "python -m scripts.farm")
