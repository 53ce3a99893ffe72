"""A recipe that only waits, for drills and benchmarks: real queue, leases, commits, no imagery and no torch.

Its result is a digest of tile and dataset, so that an interrupted run can be compared byte by byte.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from consumer.recipe import Artifact, Plan, Prepared, Progress, RecipeContext, Written
from contract.errors import GiveUp, Stopped, TryLater, WorkerUnfit
from contract.recipe import Parameter, RecipeDeclaration
from contract.tile_id import TileId

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
        Parameter("write_seconds", 0.0, "how long encoding the result takes", minimum=0),
        Parameter("memory_bytes", 1_000_000, "memory that a tile reserves", minimum=0),
        Parameter("artifacts", 1, "how many files the result has", minimum=1, maximum=500),
        Parameter("artifact_bytes", 1_000, "length of each of them", minimum=1, maximum=100_000_000),
        Parameter("seed", 0, "another dataset with other bytes"),
        Parameter(
            "fault",
            "none",
            "what every tile meets",
            choices=("none", "tile", "source", "worker", "empty", "kill in prepare", "stuck in infer"),
        ),
    ),
)


class ToyRecipe:
    """Implements consumer.recipe.Recipe."""

    def __init__(self, context: RecipeContext) -> None:
        self._context = context
        self._settings = context.settings
        self._fault = str(context.settings["fault"])

    def plan(self, tile: TileId) -> Plan:
        return Plan(tile=tile, memory_bytes=int(self._settings["memory_bytes"]), detail=None)

    def download(self, plan: Plan, progress: Progress) -> Any:  # noqa: ARG002 - the protocol
        if self._fault == "source":
            raise TryLater("the toy source says 503")
        self._wait("download_seconds", progress)
        return None

    def prepare(self, plan: Plan, downloaded: Any) -> Prepared:  # noqa: ARG002 - the protocol
        if self._fault == "kill in prepare":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault == "tile":
            raise GiveUp("the toy tile has 3 bands, 10 were expected")
        self._wait("prepare_seconds", _ignore)
        return Prepared(
            tile=plan.tile,
            memory_bytes=plan.memory_bytes,
            downloaded_bytes=plan.memory_bytes,
            is_empty=self._fault == "empty",
            detail=None,
        )

    def infer(self, prepared: Prepared, progress: Progress, stop: threading.Event) -> Any:
        if self._fault == "worker":
            raise WorkerUnfit("the toy GPU has uncorrectable ECC errors")
        while self._fault == "stuck in infer":
            time.sleep(STEP_SECONDS)
        self._wait("infer_seconds", progress, stop)
        return hashlib.sha256(f"{self._context.dataset.name} {prepared.tile.name}".encode()).digest()

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

    def _artifact(self, tile: TileId, number: int, digest: bytes, folder: Path) -> Artifact:
        length = int(self._settings["artifact_bytes"])
        path = folder / f"{number}.bin"
        path.write_bytes((digest * (length // len(digest) + 1))[:length])
        return Artifact(f"toy/{self._context.dataset.period}/{tile.path_name}/{number}.bin", path)

    def _wait(self, setting: str, progress: Progress, stop: threading.Event | None = None) -> None:
        seconds = float(self._settings[setting])
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            progress(elapsed / seconds)
            if stop is not None and stop.is_set():
                raise Stopped("the toy inference was asked to stop")
            time.sleep(min(STEP_SECONDS, seconds - elapsed))


def _ignore(_share: float) -> None:
    """A stage that reports no progress."""
