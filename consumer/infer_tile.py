"""`consumer infer`: one prepared tile on this machine, with a bar on stderr and an end that says why."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from consumer.exit_codes import ExitCode
from consumer.notices.signals import EXIT_AT_ONCE, SignalNotice
from consumer.recipe_tools import FolderInference, FolderRequest, recipe_tool
from contract.errors import GiveUp, Stopped, WorkerUnfit


def infer_tile(recipe: str, request: FolderRequest) -> int:
    """Folder in, files out; the exit status. BadInput for what is wrong with the request."""
    tool = recipe_tool(recipe, "infer_folder", purpose="work on a prepared folder")
    try:
        opened: FolderInference = tool.open_folder(request)
    except KeyboardInterrupt:
        say("interrupted before inference began; nothing was written")
        return EXIT_AT_ONCE
    for note in opened.notes:
        say(note)
    try:
        _infer_until_signal(opened)
        paths = opened.write()
    except Stopped as error:
        say(f"{error}; nothing was written")
        return EXIT_AT_ONCE
    except GiveUp as error:
        say(f"{opened.name} cannot be inferred: {error}")
        return ExitCode.FAULT
    except (WorkerUnfit, OSError, MemoryError) as error:
        say(f"this machine could not do {opened.name}: {error or type(error).__name__}")
        return ExitCode.UNFIT
    for path in paths:
        sys.stdout.write(f"{path}\n")
    return ExitCode.DONE


def _infer_until_signal(opened: FolderInference) -> None:
    """The first Ctrl-C or SIGTERM ends it between two batches, the second one at once."""
    signals, stop = SignalNotice(), threading.Event()
    signals.install()
    with pixel_bar(opened) as show:

        def progress(share: float) -> None:
            show(share)
            if signals.is_set:  # looked at here: a handler must not set an event that this thread may hold
                stop.set()

        opened.infer(progress, stop)


class PixelRate(ProgressColumn):
    """Pixels per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} px/s" if speed else "", style="progress.data.speed")


@contextmanager
def pixel_bar(opened: FolderInference) -> Iterator[Callable[[float], None]]:
    """A bar of pixels that is told the share done; where nobody watches, one line at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        PixelRate(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(opened.name, total=opened.pixels)
        yield lambda share: bar.update(task, completed=share * opened.pixels)


def say(sentence: str) -> None:
    """To the person, beside the bar and not into the output."""
    sys.stderr.write(f"consumer: {sentence}\n")
