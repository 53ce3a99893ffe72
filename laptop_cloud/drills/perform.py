"""A run of drills on a terminal: progress, a line for each, the failures, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from laptop_cloud import processes
from laptop_cloud.drills.play import Drill
from laptop_cloud.drills.run import Result, play_all, running
from laptop_cloud.drills.show import line, story, table


def perform(home: Path, wanted: Sequence[tuple[Drill, int]], parallel: int) -> bool:
    """Play them and print what came of it, also of a run that is interrupted; whether every law held."""
    seeds = [seed for _, seed in wanted]
    to_terminal = Console(stderr=True, highlight=False, soft_wrap=True)
    to_terminal.print(f"{len(wanted)} drills, seeds {min(seeds)} to {max(seeds)}, {parallel} side by side")
    results: list[Result] = []
    try:
        _play(home, wanted, parallel, to_terminal, results)
    finally:
        _tell([drill.name for drill, _ in wanted], results)
    return all(result.failure is None for result in results)


def _play(
    home: Path,
    wanted: Sequence[tuple[Drill, int]],
    parallel: int,
    to_terminal: Console,
    results: list[Result],
) -> None:
    columns = (TextColumn("drills"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        processes.unwinding_on_sigterm(),
        running(home) as run,
        Progress(*columns, console=to_terminal, transient=True, disable=not to_terminal.is_terminal) as bar,
    ):
        task = bar.add_task("drills", total=len(wanted))
        for result in play_all(run, wanted, parallel):
            results.append(result)
            to_terminal.print(line(result), markup=False)
            bar.advance(task)


def _tell(order: Sequence[str], results: Sequence[Result]) -> None:
    failures = [result for result in results if result.failure is not None]
    for result in failures:
        print(story(result), end="\n\n")
    print(table(sorted(results, key=lambda result: (order.index(result.drill), result.seed))))
    print(f"\n{len(results) - len(failures)} of {len(results)} drills ended well", flush=True)
