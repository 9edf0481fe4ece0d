"""The command line: `python -m export all|list|pair|sweep|verify|generate|inspect`."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from export.arguments import (
    check_text,
    parse_choices,
    parse_count,
    parse_depths,
    plan_like,
    plan_shapes,
    plan_sweep,
    sweep_design,
)
from export.checkpoints import parse_weights
from export.console import ExitCode, print_json, run_app, say
from export.display import (
    print_artifact,
    print_audit,
    print_catalog,
    print_gates,
    print_outcomes,
    print_plan,
)
from export.jobs.events import Failed
from export.jobs.plan import Action, ExportJob, PlannedJob, PlannedShape, decide, make_jobs
from export.jobs.progress import JobProgress
from export.jobs.runner import Runner, remove_empty_folders, remove_leftovers
from export.manifest import find_artifacts, read_manifest, write_index
from export.proof.gates import GateError
from export.proof.reference import Thoroughness
from export.quantization import Scheme
from export.sdk_output import sdk_output_hidden
from export.targets.base import AttentionForm, ExportOptions, ExportSpec, TargetName
from export.targets.registry import get_target
from models.audit import audit
from models.cost import parameter_counts
from models.errors import UserError
from models.pair import reference_for
from models.shape import describe

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Export matched pairs of deep-narrow and shallow-wide networks to ExecuTorch, ONNX and Core ML, and prove "
    "every artifact against an eager reference before it is kept.",
)

Targets = Annotated[str, typer.Option("--target", help=f"{', '.join(TargetName)}, several with commas, or all.")]
Schemes = Annotated[str, typer.Option("--scheme", help=f"{', '.join(Scheme)}, several with commas, or all.")]
Out = Annotated[Path, typer.Option("--out", help="Where the artifact folders go.")]
Workers = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Export processes at a time. Default: one per core, at most 4.")
]
Force = Annotated[bool, typer.Option("--force", help="Make artifacts again, replacing what is there.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would be done, and why.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, on the last line of standard output.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of random weights.")]
MaxContext = Annotated[int, typer.Option("--max-context", help="Positions the KV cache holds.")]
Chunk = Annotated[int, typer.Option("--prefill-chunk", help="Most tokens one call takes.")]


@app.command("all")
def export_all(
    pair: Annotated[
        str | None, typer.Option("--pair", help="A pair from `list` (mobilellm-125m), or a new name with --weights.")
    ] = None,
    target: Targets = "all",
    scheme: Schemes = "int4",
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights", metavar="[ARM=]DIR", help="Hugging Face folder or hub id: alone, or for an arm as deep=DIR."
        ),
    ] = None,
    out: Out = Path("artifacts"),
    jobs: Workers = None,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    seed: Seed = 0,
    max_context: MaxContext = 1024,
    prefill_chunk: Chunk = 128,
    text: Annotated[
        Path | None, typer.Option("--text", help="UTF-8 text to measure a checkpoint's quality on, not our own sample.")
    ] = None,
    coreml_attention: Annotated[
        AttentionForm, typer.Option(help="How Core ML graphs spell attention.")
    ] = AttentionForm.FUSED,
) -> None:
    """Export a checkpoint, or both arms of a pair, to every target; by default mobilellm-125m at int4."""
    shapes = plan_shapes(pair, seed, parse_weights(weights or []))
    _warn_of_context(shapes, max_context)
    options = ExportOptions(max_context=max_context, prefill_chunk=prefill_chunk, coreml_attention=coreml_attention)
    targets, schemes = parse_choices(target, TargetName, "target"), parse_choices(scheme, Scheme, "scheme")
    if text is not None:
        check_text(shapes, text)
    planned = _plan(shapes, targets, schemes, options, Thoroughness.FULL, out, force, dry_run, text)
    _carry_out(planned, lambda todo: [[job] for job in todo], out, jobs, dry_run, as_json)


@app.command("sweep")
def export_sweep(
    target: Targets = "executorch,onnx",
    scheme: Schemes = "int4",
    out: Out = Path("artifacts"),
    jobs: Workers = None,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    seed: Seed = 0,
    min_mb: Annotated[float, typer.Option(help="Least weight MB read per token: twice the last-level cache.")] = 40,
    max_mb: Annotated[float, typer.Option(help="Most weight MB read per token.")] = 160,
) -> None:
    """Export the sweep: random-weight shapes whose depth and bytes are decorrelated, for measuring a layer's price."""
    targets, schemes = parse_choices(target, TargetName, "target"), parse_choices(scheme, Scheme, "scheme")
    designs = [sweep_design(name, form, (min_mb * 1e6, max_mb * 1e6)) for name in targets for form in schemes]
    planned = _plan(plan_sweep(seed), targets, schemes, ExportOptions(), Thoroughness.QUICK, out, force, dry_run)
    for line in designs:
        say(line)

    def by_target(todo: list[ExportJob]) -> list[list[ExportJob]]:
        keys = dict.fromkeys((job.target, job.scheme) for job in todo)
        return [[job for job in todo if (job.target, job.scheme) == key] for key in keys]

    _carry_out(planned, by_target, out, jobs, dry_run, as_json)


@app.command("list")
def list_choices(out: Out = Path("artifacts"), as_json: AsJson = False) -> None:
    """List pairs, targets, schemes, and the artifacts made so far."""
    manifests, unreadable = find_artifacts(out)
    for line in unreadable:
        say(f"skipped: {line}")
    print_catalog(manifests, as_json)


@app.command("pair")
def audit_pair(
    params: Annotated[str, typer.Option("--params", help="Total parameters of the deep shape, such as 125M.")] = "125M",
    layers: Annotated[
        str, typer.Option("--layers", help="Depths of the two shapes, deep first; with --like the partner's alone.")
    ] = "30,12",
    like: Annotated[
        str | None, typer.Option("--like", metavar="DIR", help="Export this checkpoint with a matching random partner.")
    ] = None,
    scheme: Annotated[Scheme, typer.Option("--scheme", help="Storage that bytes are counted in.")] = Scheme.INT4,
    target: Annotated[
        TargetName, typer.Option("--target", help="Runtime that bytes are counted for.")
    ] = TargetName.EXECUTORCH,
    out: Out = Path("artifacts"),
    jobs: Workers = None,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Match two depths under all four budgets, and tell whether the arm that reads less changes with the budget."""
    if like is not None:
        _export_like(like, layers, scheme, target, out, jobs, force, dry_run, as_json)
        return
    deep_layers, wide_layers = parse_depths(layers)
    deep = reference_for(parse_count(params), deep_layers)
    storage = get_target(target).storage(ExportSpec(shape=deep, scheme=scheme))
    print_audit(audit(deep, wide_layers, storage), as_json)


@app.command("verify")
def verify(
    folders: Annotated[list[Path], typer.Argument(help="Artifact folders.")],
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="A Hugging Face folder they were made from; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Repeat every gate on artifacts from disk: files, operators, size, weights by value, logits, greedy tokens."""
    from export.proof.verify import open_sources, verify_artifact  # imports torch, which others do without

    sources = open_sources(weights or [])
    results: list[dict[str, object]] = []
    code = 0
    for folder in folders:
        try:
            with sdk_output_hidden() as terminal, Console(file=terminal).status(escape(f"{folder}")) as status:
                proof = verify_artifact(folder, sources, os.cpu_count() or 1, _step_shower(status, folder))
        except GateError as error:
            say(f"failed: {folder}: {error}")
            results.append({"folder": folder, "verified": False, "gate": error.gate, "message": str(error)})
            code = code or ExitCode.FAILED
            continue
        except UserError as error:
            say(f"error: {error}")
            results.append({"folder": folder, "verified": False, "message": str(error)})
            code = ExitCode.BAD_INPUT
            continue
        results.append({"folder": folder, "verified": True, "gates": proof.gates})
        if not as_json:
            print_gates(folder, proof.gates)
    if as_json:
        print_json({"artifacts": results})
    if code:
        raise typer.Exit(code)


@app.command("inspect")
def inspect(folder: Annotated[Path, typer.Argument(help="An artifact folder.")], as_json: AsJson = False) -> None:
    """Print a one-screen card of an artifact: shape, bytes by role, cost of a token, gates."""
    manifest = read_manifest(folder)
    if as_json:
        print(manifest.model_dump_json(by_alias=True))
    else:
        print_artifact(folder, manifest)


def _warn_of_context(shapes: list[PlannedShape], max_context: int) -> None:
    for planned in shapes:
        if planned.trained_context is not None and max_context > planned.trained_context:
            say(
                f"warning: {planned.name} was trained for {planned.trained_context} positions; "
                f"beyond them the {max_context} of --max-context are untested text"
            )


def _export_like(
    like: str, layers: str, scheme: Scheme, target: TargetName, out: Path, workers: int | None, force: bool,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """A checkpoint and the partner that it lacks, as a pair."""
    shapes = plan_like(parse_weights([like]), layers, seed=0)
    options = ExportOptions()
    _warn_of_context(shapes, options.max_context)
    for planned in shapes:
        say(
            f"{planned.pair}: {planned.arm} {describe(planned.shape)}, "
            f"{parameter_counts(planned.shape).total:,} parameters"
        )
    planned_jobs = _plan(shapes, [target], [scheme], options, Thoroughness.FULL, out, force, dry_run)
    _carry_out(planned_jobs, lambda todo: [[job] for job in todo], out, workers, dry_run, as_json)


@app.command("generate")
def generate(
    folder: Annotated[Path, typer.Argument(help="An artifact made from a checkpoint with a tokenizer.")],
    prompt: Annotated[str, typer.Argument(help="What to say to it.")],
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Most tokens of the answer.")] = 64,
    chat: Annotated[bool, typer.Option(help="Wrap the prompt in the chat template, where there is one.")] = True,
    as_json: AsJson = False,
) -> None:
    """Greedy text from an artifact, through its own runtime."""
    from export.generate import generate_text

    with sdk_output_hidden():
        said = "".join(generate_text(folder, prompt, max_tokens, os.cpu_count() or 1, chat))
    if as_json:
        print_json({"text": said})
    else:
        print(said)


def _step_shower(status: Status, folder: Path) -> Callable[[str], None]:
    return lambda step: status.update(escape(f"{folder}: {step}"))


def _plan(
    shapes: list[PlannedShape], targets: list[TargetName], schemes: list[Scheme], options: ExportOptions,
    thoroughness: Thoroughness, out: Path, force: bool, dry_run: bool, text: Path | None = None,
) -> list[PlannedJob]:  # fmt: skip
    for name in targets:
        get_target(name).toolchain()  # a missing SDK is told before any work
    if not dry_run:
        remove_leftovers(out)
    return decide(make_jobs(shapes, targets, schemes, options, thoroughness, out, text), force)


def _carry_out(
    planned: list[PlannedJob], group: Callable[[list[ExportJob]], list[list[ExportJob]]], out: Path,
    workers: int | None, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    if dry_run:
        print_plan(planned, as_json)
        return
    out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped build ends as an interrupted one
    groups = group([item.job for item in planned if item.action is not Action.SKIP])
    jobs = [job for jobs in groups for job in jobs]
    with JobProgress(planned, quiet=as_json) as progress:
        # No more processes than there is work: what is left over becomes threads.
        processes = min(workers or min(os.cpu_count() or 1, 4), max(1, len(groups)))
        runner = Runner(processes, progress.on_event)
        try:
            outcomes = runner.run(groups)
        finally:
            remove_empty_folders(jobs)
    write_index(out)
    done = {job.folder: outcome for job, outcome in zip(jobs, outcomes, strict=True)}
    print_outcomes(planned, done, progress.elapsed_s, as_json)
    if any(isinstance(outcome, Failed) for outcome in outcomes):
        raise typer.Exit(ExitCode.FAILED)


def main() -> int:
    """Run a command; the exit code."""
    return run_app(app, "python -m export")
