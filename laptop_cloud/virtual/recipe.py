"""The recipe of a virtual tile: it only waits, and fails as the tile's nature and the machine's state say."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from consumer.checkpoints.blocks import Blocks, Fingerprint
from consumer.recipe import Artifact, Plan, Prepared, Progress, RecipeContext, Written
from contract.errors import GiveUp, Stopped, TryLater, WorkerUnfit
from contract.recipe import RecipeDeclaration
from contract.tile_id import TileId
from laptop_cloud.virtual.kernel import Died, Machine
from laptop_cloud.virtual.scenario import Nature
from laptop_cloud.virtual.world import RECIPE, World

PROGRESS_SECONDS = 120.0
TILE_BYTES = 1_000_000
ARTIFACTS = 2
FIRST_SECONDS_OF_A_CRASH = 5.0
"""How far a tile that kills its worker lets it come."""


@dataclass(frozen=True, slots=True)
class VirtualDeclaration(RecipeDeclaration):
    """Found instead of an installed recipe."""

    open_recipe: Callable[[RecipeContext], Any] = field(kw_only=True)

    def load(self) -> Any:
        return self.open_recipe


def declaration(world: World) -> VirtualDeclaration:
    """The recipe of every process of this world; each opens it for the machine that it runs on."""
    return VirtualDeclaration(
        name=RECIPE,
        summary="waits in virtual time",
        code="",
        code_version="1",
        parameters=(),
        uses_weights=False,
        open_recipe=lambda _context: VirtualRecipe(world, world.kernel.process.machine),
    )


class VirtualRecipe:
    """Implements consumer.recipe.Recipe."""

    def __init__(self, world: World, machine: Machine) -> None:
        self._world = world
        self._machine = machine
        self._durations = world.scenario.durations

    def plan(self, tile: TileId) -> Plan:
        return Plan(tile=tile, memory_bytes=TILE_BYTES, detail=None)

    def download(self, plan: Plan, progress: Progress) -> Any:
        left = self._world.source_failures_left.get(plan.tile.name, 0)
        if left:
            self._world.source_failures_left[plan.tile.name] = left - 1
            raise TryLater("the virtual source says 503")
        self._wait(self._world.seconds(plan.tile, self._durations.download), progress)
        return plan.tile

    def fingerprint(self) -> Fingerprint:
        return {"dataset": self._world.job.dataset, "blocks": str(self._world.scenario.blocks)}

    def plan_like(self, plan: Plan, inputs: Any) -> Plan | None:  # noqa: ARG002 - every attempt has the same
        return plan

    def prepare(self, plan: Plan, downloaded: Any) -> Prepared:  # noqa: ARG002 - the protocol
        world, nature = self._world, self._world.nature(plan.tile)
        world.kernel.sleep(self._durations.prepare)
        if nature is Nature.BAD:
            raise GiveUp("the virtual tile has 3 bands, 10 were expected")
        return Prepared(
            plan.tile,
            TILE_BYTES,
            TILE_BYTES,
            is_empty=nature is Nature.EMPTY,
            detail=None,
            blocks=Blocks(self.fingerprint(), world.scenario.blocks),
        )

    def infer(self, prepared: Prepared, progress: Progress, stop: threading.Event) -> Any:
        """All blocks in their order: one that is lost, doubled or foreign changes the artifacts."""
        world, tile, blocks = self._world, prepared.tile, prepared.blocks
        if blocks is None:
            raise AssertionError("a virtual tile has blocks")
        self._suffer(world.nature(tile))
        done = [b"".join(bytes(part) for part in block) for block in blocks.take_restored()]
        block_seconds = world.seconds(tile, self._durations.infer) / blocks.total
        while len(done) < blocks.total:
            self._infer_block(block_seconds, len(done), blocks.total, progress, stop)
            done.append(world.block(tile, len(done)))
            blocks.finish(memoryview(done[-1]))
        return b"".join(done)

    def _infer_block(
        self, seconds: float, done: int, total: int, progress: Progress, stop: threading.Event
    ) -> None:
        left = seconds
        while left > 0:
            if self._compute(min(left, PROGRESS_SECONDS), stop):
                raise Stopped("the virtual inference was asked to stop")
            left -= PROGRESS_SECONDS
            progress((done + min(1.0, 1 - left / seconds)) / total)

    def _compute(self, seconds: float, stop: threading.Event) -> bool:
        """Whether it was stopped meanwhile. Whatever ends it, its time is booked."""
        kernel = self._world.kernel
        began = kernel.now
        try:
            return stop.wait(seconds)
        finally:
            self._world.account.infer_seconds += kernel.now - began

    def write(self, prepared: Prepared, result: Any, folder: Any) -> Written:
        if result is None:
            return Written(artifacts=())
        if self._machine.has_full_disk:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))
        self._world.kernel.sleep(self._durations.write)
        return Written([self._artifact(prepared.tile, number, result, folder) for number in range(ARTIFACTS)])

    def selftest(self) -> None:
        """A sick GPU passes it: it fails later, under load."""

    def _suffer(self, nature: Nature) -> None:
        """What the machine or the tile does to an inference that has just begun."""
        kernel = self._world.kernel
        if self._machine.is_sick:
            raise WorkerUnfit("the virtual GPU has uncorrectable ECC errors")
        if nature is Nature.HARMFUL:
            raise WorkerUnfit("CUDA error: an illegal memory access was encountered")
        if nature is Nature.KILLER:
            kernel.sleep(FIRST_SECONDS_OF_A_CRASH)
            kernel.end(kernel.process)
            raise Died

    def _artifact(self, tile: TileId, number: int, result: bytes, folder: Any) -> Artifact:
        path = folder / f"{number}.bin"
        path.write_bytes(artifact_bytes(number, result))
        return Artifact(artifact_name(tile, number), path)

    def _wait(self, seconds: float, progress: Progress) -> None:
        left = seconds
        while left > 0:
            self._world.kernel.sleep(min(left, PROGRESS_SECONDS))
            left -= PROGRESS_SECONDS
            progress(min(1.0, 1 - left / seconds))


def artifact_name(tile: TileId, number: int) -> str:
    """Where a tile's artifact is published, below the dataset's root."""
    return f"virtual/{tile.path_name}/{number}.bin"


def artifact_bytes(number: int, result: bytes) -> bytes:
    """What an artifact is made of, given all blocks."""
    return hashlib.sha256(result + bytes([number])).digest()
