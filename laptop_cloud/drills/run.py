"""Plays drills over one storage, some side by side, each in a folder that stays when it fails."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from laptop_cloud import azurite
from laptop_cloud.azurite import Azurite, Endpoints
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import CannotPlay, DrillFailed, Interrupted
from laptop_cloud.drills.play import Drill, Scene


@dataclass(frozen=True, slots=True)
class Result:
    """How one drill ended under one seed."""

    drill: str
    seed: int
    seconds: float
    folder: Path
    """Logs of all programs; gone when the drill ended well."""
    cost: Cost | None = None
    """None: it failed, or could not be played here."""
    failure: DrillFailed | None = None
    left_out: str = ""
    """Why it could not be played here."""


@dataclass(frozen=True, slots=True)
class Run:
    """What all drills of one run share."""

    emulator: Azurite
    storage: Endpoints
    folder: Path
    stop: threading.Event


@contextlib.contextmanager
def running(home: Path) -> Iterator[Run]:
    """A storage for one run of drills, below `home`/drills; what it stored is deleted with it, logs stay."""
    emulator = azurite.install(home)
    (home / "drills").mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=home / "drills"))
    run_stop = threading.Event()
    try:
        with azurite.running(emulator, folder / "storage") as storage:
            yield Run(emulator, storage, folder, run_stop)
    finally:
        shutil.rmtree(folder / "storage", ignore_errors=True)
        (folder / "storage.log").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()  # empty unless a drill failed


def play_all(run: Run, wanted: Sequence[tuple[Drill, int]], parallel: int) -> Iterator[Result]:
    """The results as they come. Leaving early ends the drills that are under way."""
    # Threads that live as long as their drills: the kernel ends a child with the thread that started it.
    with ThreadPoolExecutor(parallel, thread_name_prefix="drill") as pool:
        futures = [pool.submit(play, run, drill, seed) for drill, seed in wanted]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            run.stop.set()
            for future in futures:
                future.cancel()


def play(run: Run, drill: Drill, seed: int) -> Result:
    """One drill under one seed; never raises for what the drill meets."""
    folder = run.folder / f"{drill.name}-seed{seed}"
    scene = Scene(seed, random.Random(f"{drill.name} {seed}"), run.storage, run.emulator, folder, run.stop)
    began = time.monotonic()
    result = Result(drill.name, seed, 0.0, folder)
    try:
        result = replace(result, cost=drill.play(scene))
    except DrillFailed as failure:
        result = replace(result, failure=failure)
    except CannotPlay as reason:
        result = replace(result, left_out=str(reason))
    except Interrupted:
        result = replace(result, left_out="interrupted")
    except Exception as error:  # noqa: BLE001 - a drill that breaks must not end the others
        result = replace(result, failure=_broken(error))
    if result.failure is None:
        shutil.rmtree(folder, ignore_errors=True)
    return replace(result, seconds=time.monotonic() - began)


def _broken(error: Exception) -> DrillFailed:
    failure = DrillFailed("the drill itself works", repr(error))
    failure.history = "".join(traceback.format_exception(error))
    return failure
