"""What a person sees while tiles are sent: a bar with a rate, and then where the job stands."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from contract.dataset import PARTIAL_YEAR, UNTRAINED, Dataset
from contract.fleet import Fleet
from contract.job import Job, JobState
from producer.enqueue import Outcome
from producer.send import Report


class RateColumn(ProgressColumn):
    """Tiles per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} tiles/s" if speed else "", style="progress.data.speed")


class SendingBar:
    """A bar per job on `console`, and how far the sending came, for who interrupts it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self.interrupted_job = ""
        """The job that is being sent."""
        self.position = 0
        """How many of its asked tiles are on the queue or done."""

    def sending(self, job: Job, start: int, end: int) -> Report:
        task = self._progress.add_task(job.name, total=end, completed=start, visible=end > start)
        self.interrupted_job, self.position = job.id, start

        def report(position: int, _new: int) -> None:
            self.position = position
            self._progress.update(task, completed=position)

        return report

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def dataset_sentence(dataset: Dataset) -> str:
    """What a dataset is of, with the words that must never be missed."""
    words = [f"dataset {dataset.name}: {dataset.recipe}, year {dataset.period}"]
    if dataset.parameters.get(PARTIAL_YEAR):
        words.append("which is not over")
    if not dataset.is_trained:
        words.append(f"{UNTRAINED} weights, so its numbers mean nothing")
    elif dataset.weights_sha256:
        words.append(f"weights {dataset.weights_sha256[:12]}")
    return ", ".join(words)


def outcome_sentence(outcome: Outcome, *, is_dry: bool = False) -> str:
    """`4028 tiles, 4028 done or queued, 0 new`."""
    new = f"{outcome.new} new" + (" (nothing was written: --dry-run)" if is_dry else "")
    parts = [f"{outcome.asked} tiles", f"{outcome.done + outcome.queued} done or queued", new]
    if outcome.held_back:
        parts.append(f"{outcome.held_back} wait until the canary is approved")
    return ", ".join(parts)


def outcome_detail(outcome: Outcome) -> str:
    """The job's id and its counts, one each."""
    return (
        f"job {outcome.job.id} ({outcome.state.value}): new {outcome.new}, done {outcome.done}, "
        f"queued before {outcome.queued}"
    )


def next_commands(fleet: Fleet, outcomes: Sequence[Outcome], fleet_option: str) -> tuple[str, str]:
    """The two commands that an operator types next."""
    job = outcomes[0].job.id
    if all(outcome.done == outcome.asked for outcome in outcomes):
        return f"fleetctl status{fleet_option}", f"fleetctl mosaic {job}{fleet_option}"
    work = "consumer run --until-empty" if fleet.is_laptop else "consumer run"
    return f"{work}{fleet_option}", f"fleetctl status --watch{fleet_option}"


def jobs_table(rows: Sequence[tuple[Job, JobState, int]]) -> Table:
    """Jobs with their state and how many of their tiles were enqueued."""
    table = Table("job", "state", "tiles", "enqueued", "dataset", "asked", "created", box=None)
    for job, state, position in rows:
        table.add_row(
            job.id,
            state.value + (", urgent" if job.is_urgent else ""),
            str(job.asked_count),
            str(min(position, job.asked_count)),
            job.dataset,
            job.asked_text,
            job.created,
        )
    return table
