"""A summary as tables for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from contract.outcomes import Outcome
from fleetctl import phrases
from fleetctl.campaign.history import JobHistory
from fleetctl.campaign.summary import Summary

SHOWN_TILES = 5
UNTRAINED_WORDS = "untrained weights: the results mean nothing"


def summary_json(history: JobHistory, summary: Summary) -> dict[str, Any]:
    """Everything in the tables, with units in the names."""
    return {
        "job": history.job.id,
        "dataset": history.dataset.name,
        "is_untrained": history.is_untrained,
        "asked": summary.asked,
        "committed": summary.committed,
        "outcomes": {outcome.value: count for outcome, count in summary.outcomes.items()},
        "left": summary.left,
        "reused": summary.reused,
        "poison_tiles": sorted(history.poison),
        "stages": [asdict(stage) for stage in summary.stages],
        "workers": [{**asdict(worker), "share": worker.share} for worker in summary.workers],
        "busy_share": summary.busy_share,
        "downloaded_bytes": summary.downloaded_bytes,
        "uploaded_bytes": summary.uploaded_bytes,
        "wall_seconds": summary.wall_seconds,
        "tiles_per_hour": summary.tiles_per_hour,
    }


def print_summary(console: Console, history: JobHistory, summary: Summary) -> None:
    """The tables; the last line is `18/18 tiles`."""
    heading = Text(f"{history.job.id}  ({history.dataset.name})", style="bold")
    console.print(Group(heading, _totals(summary), stage_table(summary), worker_table(summary)))
    if history.poison:
        console.print(Text(f"given up: {_some(sorted(history.poison))}", style="red"))
    if history.is_untrained:
        console.print(Text(UNTRAINED_WORDS, style="bold red"))
    console.print(f"{summary.committed}/{summary.asked} tiles", highlight=False)


def stage_table(summary: Summary) -> RenderableType:
    """One row per stage."""
    table = Table(title="seconds per stage", title_justify="left", box=None, pad_edge=False)
    for name in ("stage", "tiles", "median", "95 %", "total"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for stage in summary.stages:
        table.add_row(
            stage.stage,
            str(stage.tiles),
            f"{stage.median_seconds:.2f} s",
            f"{stage.p95_seconds:.2f} s",
            phrases.duration(stage.total_seconds),
        )
    return table


def worker_table(summary: Summary) -> RenderableType:
    """One row per worker, and one for all of them."""
    table = Table(title="inference busy after the first tile", title_justify="left", box=None, pad_edge=False)
    for name in ("worker", "tiles", "inference", "of", "busy"):
        table.add_column(name, justify="left" if name == "worker" else "right")
    for worker in summary.workers:
        table.add_row(
            worker.worker,
            str(worker.tiles),
            phrases.duration(worker.busy_seconds),
            phrases.duration(worker.span_seconds),
            phrases.share(worker.share),
        )
    if len(summary.workers) > 1:
        table.add_row(
            "all",
            str(sum(worker.tiles for worker in summary.workers)),
            phrases.duration(sum(worker.busy_seconds for worker in summary.workers)),
            phrases.duration(sum(worker.span_seconds for worker in summary.workers)),
            phrases.share(summary.busy_share),
            style="bold",
        )
    return table


def _some(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    shown = ", ".join(names[:SHOWN_TILES])
    more = len(names) - SHOWN_TILES
    return f"{shown} and {more} more" if more > 0 else shown


def _totals(summary: Summary) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    outcomes = [f"{count} {outcome.value}" for outcome in Outcome if (count := summary.outcomes.get(outcome))]
    if summary.left:
        outcomes.append(f"{summary.left} left")
    table.add_row("tiles", ", ".join(outcomes) or "none")
    if summary.reused:
        table.add_row("reused", f"{summary.reused} that another job had made; not counted below")
    table.add_row("downloaded", phrases.size(summary.downloaded_bytes))
    table.add_row("uploaded", phrases.size(summary.uploaded_bytes))
    table.add_row(
        "took", f"{phrases.duration(summary.wall_seconds)} ({phrases.rate(summary.tiles_per_hour)})"
    )
    return table
