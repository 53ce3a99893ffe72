"""How long after a notice every tile of a worker is free again, in front of all others, on a slow storage.

    python benchmarks/notice_to_free.py --rounds 20

A real worker with all its threads holds 32 tiles, one of them in inference, the others in download; in every other
round 31, so that it is asking for one more. Its storage is simulated, and every request to it takes half a second.
The notice comes at a random moment, by a cloud's poller. Free means visible in the urgent queue. What is not in it
is the CPU of the real storage client, 4 ms for each of about a hundred requests.
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from consumer.departure import Departure
from consumer.exit_codes import ExitCode
from consumer.leaving import HAND_BACK_SECONDS
from consumer.notices.signals import SignalNotice
from consumer.parts import build_parts, build_worker
from consumer.settings import Settings
from consumer.steps import Steps
from consumer.work import Stage, Work
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import Stopped
from contract.fleet import Fleet
from contract.fleet_queues import FleetQueues
from contract.tile_id import GridCell
from contract.tile_message import TileMessage
from contract.tile_queues.simulated import SimulatedQueues

TILES = 32
NOTICE_SECONDS = 30.0
OUTSIDE_SECONDS, INFER_SECONDS = 3200.0, 100.0
"""Measured before, so that the worker wants as many tiles as it may hold."""
URGENT = "b-urgent"


@dataclass
class SlowStorage:
    """One fleet's storage, each request of which takes its time once the worker holds all."""

    answer_seconds: float
    is_slow: bool = False
    freed_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        queues = SimulatedQueues()
        names = ("b-tiles", URGENT, "b-poison")
        self.queues = FleetQueues(*(queues.queue(name, self._request) for name in names))
        self.queues.ensure()
        self.store = SimulatedBlobStore(SimulatedContainer(), self._request)

    def _request(self, when: str, operation: str, name: str) -> None:
        if when == "before" and self.is_slow:
            time.sleep(self.answer_seconds)
        if (when, operation, name) == ("after", "send", URGENT):
            self.freed_at.append(time.monotonic())


def endless(stage: Stage, work: Work) -> None:
    """A stage that ends only when it is told to."""
    work.enter(stage)
    work.stop.wait()
    raise work.stop_reason or Stopped("told to")


def pass_on(_work: Work) -> None:
    """Nothing to do."""


def download_all_but_one(work: Work, gate: threading.Lock) -> None:
    """The first tile goes on to inference, the others keep downloading."""
    if not gate.acquire(blocking=False):
        endless(Stage.DOWNLOAD, work)


def measure(folder: Path, tiles: int, answer_seconds: float, chance: random.Random) -> float:
    """Seconds from the notice to the last free tile; checks that all were freed and why the worker ended."""
    storage = SlowStorage(answer_seconds)
    for number in range(tiles):
        storage.queues.tiles.send(TileMessage("job", "dataset", GridCell(541, number)).encode())
    settings = Settings(most_tiles=TILES, idle_poll_seconds=0.1, cache_folder=folder, scratch_folder=folder)
    fleet = Fleet("b", "laptop", "here", "http://127.0.0.1:9", "http://127.0.0.1:9", "b")
    parts = build_parts(settings, fleet, storage.store, storage.queues, worker="w")
    parts.state.times.add(outside_seconds=OUTSIDE_SECONDS, infer_seconds=INFER_SECONDS)
    gate = threading.Lock()
    steps = Steps(
        download=lambda work: download_all_but_one(work, gate),
        prepare=pass_on,
        infer=lambda work: endless(Stage.INFER, work),
        upload=pass_on,
        settle=parts.steps.settle,
    )
    told: list[Departure] = []
    worker = build_worker(
        replace(parts, steps=steps),
        signals=SignalNotice(),
        notices=lambda: told[0] if told else None,
        end_process=lambda code: sys.exit(f"the last resort had to end it with {code}"),
    )
    answers: list[ExitCode] = []
    thread = threading.Thread(target=lambda: answers.append(worker.run()))
    thread.start()
    while len(held := parts.keeper.held()) < tiles or Stage.INFER not in {work.stage for work in held}:
        time.sleep(0.01)
    storage.is_slow = True
    time.sleep(chance.uniform(0.5, 2.0))
    began = time.monotonic()
    told.append(Departure("benchmark", began + NOTICE_SECONDS, is_eviction=True))
    thread.join()
    if answers != [ExitCode.EVICTED] or len(storage.freed_at) != tiles:
        sys.exit(f"{answers}, {len(storage.freed_at)} of {tiles} tiles freed")
    return max(storage.freed_at) - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--answer-ms", type=float, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        seconds = [
            measure(Path(folder), TILES - number % 2, options.answer_ms / 1000, chance)
            for number in range(options.rounds)
        ]
    print(
        f"{TILES - 1} or {TILES} tiles held, storage answering in {options.answer_ms:g} ms, {options.rounds} notices, "
        f"seed {options.seed}: all free after {statistics.median(seconds):.2f} s (median), "
        f"{max(seconds):.2f} s (worst); goal {HAND_BACK_SECONDS:g} s"
    )


if __name__ == "__main__":
    main()
