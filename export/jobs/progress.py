"""Progress of export jobs: bars on a terminal, one line per event elsewhere. Always on standard error."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from export.console import Verbosity, verbosity
from export.jobs.events import Done, Event, Failed, Step
from export.jobs.plan import Action, ExportJob, PlannedJob

# In the order in which a job passes through them; see `export.jobs.job` and `export.proof.parity`.
STEPS = ("import", "write", "operators", "run", "weights", "eager", "logits", "greedy", "manifest")


class JobProgress:
    """Context manager that shows the jobs of one run; `on_event` is a `Runner` listener."""

    def __init__(self, planned: list[PlannedJob], quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._quiet = quiet or verbosity() is Verbosity.QUIET
        self._live = self._console.is_terminal and not self._quiet
        self._planned = planned
        self._tasks: dict[ExportJob, TaskID] = {}
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[step]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._live,
        )
        self._started = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    def __enter__(self) -> "JobProgress":
        self._bars.start()
        for item in self._planned:
            if item.action is Action.SKIP:
                self._line(f"{item.job.label}: up to date, {item.reason}")
            elif item.action in (Action.REPLACE, Action.REWRITE):
                self._line(f"{item.job.label}: written again, {item.reason}", always=not self._quiet)
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def on_event(self, job: ExportJob, event: Event) -> None:
        """Show one event of one job."""
        match event:
            case Step(step=step):
                self._advance(job, step)
            case Done(effort=effort):
                self._finish(job, "[green]verified")
                self._line(f"{job.label}: verified in {effort.wall_ns / 1e9:.1f} s")
            case Failed(message=message):
                self._finish(job, "[red]failed")
                self._line(f"{job.label}: failed: {message}", always=True)

    def _advance(self, job: ExportJob, step: str) -> None:
        if job not in self._tasks:
            self._tasks[job] = self._bars.add_task(job.label, total=len(STEPS), step=step)
            self._line(f"{job.label}: started")
        self._bars.update(self._tasks[job], completed=STEPS.index(step), step=step)

    def _finish(self, job: ExportJob, step: str) -> None:
        if job in self._tasks:
            self._bars.update(self._tasks[job], completed=len(STEPS), step=step)
            self._bars.stop_task(self._tasks[job])

    def _line(self, text: str, always: bool = False) -> None:
        if always or not (self._live or self._quiet):
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
