"""What runs of a virtual fleet came to, on a terminal: a table, and the story of each run that broke a law."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from laptop_cloud.virtual.runs import Result, run_seeds
from laptop_cloud.virtual.scenario import Scenario

REPEAT = "laptop-cloud virtual-fleet --tiles {tiles} --seed {seed} --evictions-per-vm-hour {evictions:g}"


def show_runs(scenario: Scenario, seeds: Sequence[int], *, processes: int, as_json: bool) -> bool:
    """Run them all, print what came of it; whether every law held in every run."""
    results = sorted(_with_progress(scenario, seeds, processes), key=lambda result: result.seed)
    broken = [result for result in results if result.broken_count]
    if as_json:
        print(json.dumps([asdict(result) for result in results], indent=1))
    else:
        console = Console()
        console.print(_table(results))
        for result in broken:
            _tell(console, scenario, result)
    return not broken


def _with_progress(scenario: Scenario, seeds: Sequence[int], processes: int) -> list[Result]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs"),
        TimeRemainingColumn(),
    )
    results = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{scenario.tiles} tiles each", total=len(seeds))
        for result in run_seeds(scenario, seeds, processes=processes):
            results.append(result)
            bar.advance(task)
    return results


def _table(results: Sequence[Result]) -> Table:
    table = Table("what", "count", title=f"{len(results)} runs of a virtual fleet")
    table.columns[1].justify = "right"
    happened = sum((Counter(result.happened) for result in results), Counter())
    rows: Iterable[tuple[str, str]] = (
        ("tiles asked", f"{sum(r.tiles for r in results):,}"),
        ("commits", f"{sum(r.committed for r in results):,}"),
        ("tiles given up, as they deserve", f"{sum(r.poisoned for r in results):,}"),
        ("virtual hours", f"{sum(r.virtual_hours for r in results):,.0f}"),
        *((what, f"{count:,}") for what, count in sorted(happened.items())),
        ("CPU seconds per run", f"{sum(r.cpu_seconds for r in results) / len(results):.1f}"),
        ("runs that broke a law", f"{sum(bool(r.broken_count) for r in results):,}"),
    )
    for row in rows:
        table.add_row(*row)
    return table


def _tell(console: Console, scenario: Scenario, result: Result) -> None:
    """What went wrong in one run, and how to see it again."""
    repeat = REPEAT.format(tiles=scenario.tiles, seed=result.seed, evictions=scenario.evictions.per_vm_hour)
    lines = [f"\nseed {result.seed}: {result.broken_count} times against a law", *result.broken]
    if result.history:
        lines += ["what happened to the first of these tiles:", *result.history]
    for line in [*lines, f"again: {repeat}"]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
