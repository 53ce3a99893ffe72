"""One drill under one seed: where it finds its storage, and how it ends."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from laptop_cloud import azurite
from laptop_cloud.azurite import Azurite, Emulator, Endpoints
from laptop_cloud.drills.cost import Cost, cost_of
from laptop_cloud.drills.laws import Expected, check
from laptop_cloud.drills.stage import Asked, Stage, playing
from laptop_cloud.machines.fleet import Template


@dataclass(frozen=True, slots=True)
class Scene:
    """What a drill is given."""

    seed: int
    chance: random.Random
    """Draws victims and moments."""
    storage: Endpoints
    """Of the run; other drills use it at the same time."""
    emulator: Azurite
    """To start another one that may be stopped."""
    folder: Path
    stop: threading.Event

    def fleet(self, count: int, template: Template | None = None) -> contextlib.AbstractContextManager[Stage]:
        """So many VMs over the run's storage."""
        return playing(self.storage, self.folder, count, self.chance, self.stop, template)

    @contextlib.contextmanager
    def fleet_with_own_storage(self, count: int) -> Iterator[tuple[Stage, Emulator]]:
        """So many VMs over a storage that nobody else uses."""
        with (
            azurite.restartable(self.emulator, self.folder / "storage") as (emulator, endpoints),
            playing(endpoints, self.folder, count, self.chance, self.stop) as stage,
        ):
            yield stage, emulator


@dataclass(frozen=True, slots=True)
class Drill:
    """One of the catalogue."""

    name: str
    play: Callable[[Scene], Cost]

    @property
    def lesson(self) -> str:
        """What an operator learns from it: the docstring, in one line."""
        return " ".join((self.play.__doc__ or "").split())


def finish(
    stage: Stage,
    asked: Asked,
    expected: Expected | None = None,
    *,
    figures: Callable[[], str] | None = None,
) -> Cost:
    """Wait for the end of the job, let everybody leave, and check it; what it all cost.

    `figures` are this drill's own, asked when the ledger is whole.
    """
    stage.await_end(asked)
    stage.await_empty_queues()
    stage.dismiss()
    check(stage, asked, expected or Expected())
    if figures is not None:
        stage.remarks.append(figures())
    return cost_of(stage, asked)
