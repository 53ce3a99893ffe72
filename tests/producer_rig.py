"""What the producer's tests build on: a storage in memory, plans of small jobs, and what came onto the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.fleet_queues import FleetQueues
from contract.job import Job
from contract.recipe import Parameter, RecipeDeclaration
from contract.simulated_faults import Fault, no_fault
from contract.tile_message import TileMessage, decode_message
from contract.tile_queue import TileQueue
from contract.tile_queues.simulated import SimulatedQueues
from producer.enqueue import Storage
from producer.plan import Ask, JobPlan, Pins, make_dataset, plan_jobs

NOW = "2026-11-22T12:00:00+00:00"
RECIPE = RecipeDeclaration(
    name="toy",
    summary="",
    code="nowhere:Toy",
    code_version="1",
    parameters=(
        Parameter("model", "small", "", choices=("small", "large")),
        Parameter("threads", 4, "", changes_result=False),
    ),
)


def cells(count: int, *, row: int = 500) -> np.ndarray:
    """`count` cells in rows of a hundred, sorted."""
    index = np.arange(count)
    return np.stack([row + index // 100, index % 100], axis=1).astype(np.int16)


def ask(count: int = 10, **changes: object) -> Ask:
    values: dict[str, object] = {
        "label": "toyland",
        "is_label_exact": False,
        "text": "Toyland",
        "cells": cells(count),
        "limit": None,
        "canary_count": 0,
        "is_urgent": False,
    }
    return Ask(**{**values, **changes})  # type: ignore[arg-type]


def pins(**settings: object) -> Pins:
    return Pins(RECIPE, {"model": "small", "threads": 4, **settings}, None, False, "b" * 64)  # type: ignore[dict-item]


def plan(
    count: int = 10, *, year: int = 2024, settings: dict[str, object] | None = None, **changes: object
) -> JobPlan:
    """One job of `count` tiles."""
    pinned = pins(**(settings or {}))
    dataset = make_dataset(pinned, year, is_partial=False)
    return plan_jobs(ask(count, **changes), [dataset], pinned.settings, created=NOW)[0]


@dataclass
class Rig:
    """A simulated fleet; `client` gives one producer's own connections to it."""

    clock: Callable[[], float]
    container: SimulatedContainer = field(init=False)
    queues: SimulatedQueues = field(init=False)

    def __post_init__(self) -> None:
        self.container = SimulatedContainer(self.clock)
        self.queues = SimulatedQueues(self.clock)
        self.client().queues.ensure()

    def client(self, fault: Fault = no_fault) -> Storage:
        names = ("toy-tiles", "toy-urgent", "toy-poison")
        return Storage(
            SimulatedBlobStore(self.container, fault),
            FleetQueues(*(self.queues.queue(name, fault) for name in names)),
        )

    def blobs(self) -> list[str]:
        return self.container.names_under("")

    def messages(self, queue: str = "toy-tiles") -> list[TileMessage]:
        return drained(self.queues.queue(queue))


def drained(queue: TileQueue) -> list[TileMessage]:
    """Every visible message, hidden for an hour from now on."""
    found: list[TileMessage] = []
    while held := queue.receive(32, 3600):
        found += [decode_message(message.body) for message in held]
    return found


def names(messages: list[TileMessage]) -> list[str]:
    return [message.tile.name for message in messages]


@dataclass
class Quiet:
    """A watcher that remembers."""

    sentences: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def sending(self, _job: Job, _start: int, _end: int) -> Callable[[int, int], None]:
        return lambda position, _new: self.positions.append(position)

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)
