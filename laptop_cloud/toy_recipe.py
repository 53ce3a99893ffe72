"""A recipe that only waits, for drills and benchmarks: real queue, leases, commits, no imagery and no torch.

Its result is a digest of tile and dataset, so that an interrupted run can be compared byte by byte; with
several blocks it is one of the blocks' bytes in their order, and an interrupted attempt leaves those.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from consumer.checkpoints.blocks import Blocks, Fingerprint
from consumer.recipe import Artifact, Plan, Prepared, Progress, RecipeContext, Written
from contract.errors import GiveUp, Stopped, TryLater, WorkerUnfit
from contract.recipe import Parameter, RecipeDeclaration
from contract.tile_id import TileId
from laptop_cloud.machines.gpu import is_sick

STEP_SECONDS = 0.02

DECLARATION = RecipeDeclaration(
    name="toy",
    summary="Waits instead of working: for drills and benchmarks.",
    code="laptop_cloud.toy_recipe:ToyRecipe",
    code_version="1",
    uses_weights=False,
    parameters=(
        Parameter("download_seconds", 0.05, "how long a download takes", minimum=0),
        Parameter("prepare_seconds", 0.0, "how long preparing takes", minimum=0),
        Parameter("infer_seconds", 0.05, "how long inference takes", minimum=0),
        Parameter(
            "blocks", 1, "parts that inference is done in; several: they survive it", minimum=1, maximum=9_999
        ),
        Parameter(
            "block_bytes", 100, "length of what each of several blocks leaves", minimum=1, maximum=10_000_000
        ),
        Parameter("write_seconds", 0.0, "how long encoding the result takes", minimum=0),
        Parameter("memory_bytes", 1_000_000, "memory that a tile reserves", minimum=0),
        Parameter("artifacts", 1, "how many files the result has", minimum=1, maximum=500),
        Parameter("artifact_bytes", 1_000, "length of each of them", minimum=1, maximum=100_000_000),
        Parameter("seed", 0, "another dataset with other bytes"),
        Parameter(
            "fault",
            "none",
            "what every tile meets, or that share of them",
            choices=("none", "tile", "source", "worker", "empty", "kill in prepare", "stuck in infer"),
        ),
        Parameter(
            "fault_share", 1.0, "share of the tiles that meet the fault, by seed", minimum=0, maximum=1
        ),
    ),
)


class ToyRecipe:
    """Implements consumer.recipe.Recipe."""

    def __init__(self, context: RecipeContext) -> None:
        self._context = context
        self._settings = context.settings
        self._blocks = int(context.settings["blocks"])

    def fingerprint(self) -> Fingerprint | None:
        if self._blocks == 1:
            return None
        return {"dataset": self._context.dataset.name, "blocks": str(self._blocks)}

    def plan(self, tile: TileId) -> Plan:
        return Plan(tile=tile, memory_bytes=int(self._settings["memory_bytes"]), detail=None)

    def plan_like(self, plan: Plan, inputs: Any) -> Plan | None:  # noqa: ARG002 - the protocol
        """The toy reads nothing that could change."""
        return plan

    def download(self, plan: Plan, progress: Progress) -> Any:
        if self._fault_of(plan.tile) == "source":
            raise TryLater("the toy source says 503")
        self._wait("download_seconds", progress)
        return None

    def prepare(self, plan: Plan, downloaded: Any) -> Prepared:  # noqa: ARG002 - the protocol
        fault, fingerprint = self._fault_of(plan.tile), self.fingerprint()
        if fault == "kill in prepare":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "tile":
            raise GiveUp("the toy tile has 3 bands, 10 were expected")
        self._wait("prepare_seconds", _ignore)
        return Prepared(
            tile=plan.tile,
            memory_bytes=plan.memory_bytes,
            downloaded_bytes=plan.memory_bytes,
            is_empty=fault == "empty",
            detail=None,
            blocks=Blocks(fingerprint, self._blocks) if fingerprint is not None else None,
        )

    def infer(self, prepared: Prepared, progress: Progress, stop: threading.Event) -> Any:
        fault = self._fault_of(prepared.tile)
        if fault == "worker":
            raise WorkerUnfit("the toy GPU has uncorrectable ECC errors")
        if is_sick(os.environ):
            raise WorkerUnfit("the toy GPU's context is poisoned")
        while fault == "stuck in infer":
            time.sleep(STEP_SECONDS)
        if prepared.blocks is not None:
            return self._infer_blocks(prepared.tile, prepared.blocks, progress, stop)
        self._wait("infer_seconds", progress, stop)
        return self._digest(prepared.tile)

    def write(self, prepared: Prepared, result: Any, folder: Path) -> Written:
        self._wait("write_seconds", _ignore)
        if result is None:
            return Written(artifacts=())
        return Written(
            artifacts=[
                self._artifact(prepared.tile, n, result, folder)
                for n in range(int(self._settings["artifacts"]))
            ],
            provenance={"recipe": "toy"},
        )

    def selftest(self) -> None:
        """Nothing can be wrong with waiting."""

    def _infer_blocks(self, tile: TileId, blocks: Blocks, progress: Progress, stop: threading.Event) -> bytes:
        """The digest of all blocks in their order: one that is lost, doubled or foreign shows in it."""
        restored = blocks.take_restored()
        results = [bytes(result) for (result,) in restored]
        progress(len(results) / self._blocks)
        for number in range(len(results), self._blocks):

            def of_all(share: float, before: int = number) -> None:
                progress((before + share) / self._blocks)

            self._wait("infer_seconds", of_all, stop, parts=self._blocks)
            results.append(self._result_of_block(tile, number))
            blocks.finish(memoryview(results[-1]))
            progress((number + 1) / self._blocks)
        return hashlib.sha256(b"".join(results)).digest()

    def _result_of_block(self, tile: TileId, number: int) -> bytes:
        return _stretched(self._digest(tile, f" {number}"), int(self._settings["block_bytes"]))

    def _digest(self, tile: TileId, suffix: str = "") -> bytes:
        return hashlib.sha256(f"{self._context.dataset.name} {tile.name}{suffix}".encode()).digest()

    def _fault_of(self, tile: TileId) -> str:
        """The same for every attempt at the tile; with a share below 1, another seed strikes other tiles."""
        drawn = int.from_bytes(hashlib.sha256(f"{self._settings['seed']} {tile.name}".encode()).digest()[:6])
        is_struck = drawn < float(self._settings["fault_share"]) * 2**48
        return str(self._settings["fault"]) if is_struck else "none"

    def _artifact(self, tile: TileId, number: int, digest: bytes, folder: Path) -> Artifact:
        path = folder / f"{number}.bin"
        path.write_bytes(_stretched(digest, int(self._settings["artifact_bytes"])))
        return Artifact(f"toy/{self._context.dataset.period}/{tile.path_name}/{number}.bin", path)

    def _wait(
        self, setting: str, progress: Progress, stop: threading.Event | None = None, *, parts: int = 1
    ) -> None:
        seconds = float(self._settings[setting]) / parts
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            progress(elapsed / seconds)
            if stop is not None and stop.is_set():
                raise Stopped("the toy inference was asked to stop")
            time.sleep(min(STEP_SECONDS, seconds - elapsed))


def _stretched(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _ignore(_share: float) -> None:
    """A stage that reports no progress."""
