"""Progress bars on stderr: they vanish when they are done, and never mix with a command's output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fleetctl import phrases


@contextmanager
def tile_progress(console: Console, doing: str, tiles: int) -> Iterator[Callable[[], None]]:
    """A bar over tiles; the block calls what it gets after each of them."""
    with _bar(console, "tiles") as bar:
        task = bar.add_task(doing, total=tiles, extra="")
        yield lambda: bar.advance(task)


@contextmanager
def listing_progress(
    console: Console, doing: str, *, unit: str = "blobs"
) -> Iterator[Callable[[int, int], None]]:
    """A bar over blobs; the block tells how many it saw, and about how many there are."""
    with _bar(console, unit) as bar:
        task = bar.add_task(doing, total=None, extra="")

        def on_blobs(seen: int, expected: int) -> None:
            elapsed_seconds = bar.tasks[task].elapsed or 0.0
            speed = f"{seen / elapsed_seconds:,.0f}/s" if elapsed_seconds else ""
            bar.update(task, completed=seen, total=max(seen, expected), extra=speed)

        yield on_blobs


@contextmanager
def batch_progress(console: Console, doing: str, tiles: int) -> Iterator[Callable[[int], None]]:
    """The same, told of several tiles at a time."""
    with _bar(console, "tiles") as bar:
        task = bar.add_task(doing, total=tiles, extra="")
        yield lambda count: bar.advance(task, count)


@contextmanager
def byte_progress(console: Console, doing: str, tiles: int) -> Iterator[Callable[[int], None]]:
    """The same, with the bytes of each tile: the sum so far and its rate."""
    with _bar(console, "tiles") as bar:
        task = bar.add_task(doing, total=tiles, extra="")
        fetched_bytes = 0

        def on_tile(tile_bytes: int) -> None:
            nonlocal fetched_bytes
            fetched_bytes += tile_bytes
            elapsed_seconds = bar.tasks[task].elapsed or 0.0
            speed = phrases.size(int(fetched_bytes / elapsed_seconds)) if elapsed_seconds else phrases.NOTHING
            bar.update(task, advance=1, extra=f"{phrases.size(fetched_bytes)}, {speed}/s")

        yield on_tile


@contextmanager
def count_progress(console: Console, doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar over machines; the block tells how many are done by now."""
    with _bar(console, "machines") as bar:
        task = bar.add_task(doing, total=total, extra="")
        yield lambda done: bar.update(task, completed=done)


def _bar(console: Console, unit: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[extra]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
