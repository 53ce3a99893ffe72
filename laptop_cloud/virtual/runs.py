"""Runs of virtual fleets, one per seed, in a pool of processes: what each came to, small enough to send back."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from laptop_cloud.virtual.fleet import run
from laptop_cloud.virtual.laws import broken_laws
from laptop_cloud.virtual.scenario import Scenario
from laptop_cloud.virtual.world import EPOCH, Account, World

TOLD = 20
"""Broken laws that a result names; a run gone wrong may have thousands."""


@dataclass(frozen=True, slots=True)
class Result:
    """One run, judged."""

    seed: int
    tiles: int
    committed: int
    poisoned: int
    virtual_hours: float
    cpu_seconds: float
    happened: dict[str, int]
    account: Account
    broken: tuple[str, ...]
    """The first broken laws, in sentences."""
    broken_count: int
    history: tuple[str, ...]
    """Of the first tile that broke a law."""


def run_seeds(scenario: Scenario, seeds: Sequence[int], *, processes: int) -> Iterator[Result]:
    """The results as they come."""
    # A fresh interpreter each: a run puts stand-ins under modules, which nothing else in a process should meet.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(seeds)), mp_context=context) as pool:
        for finished in as_completed([pool.submit(run_seed, scenario, seed) for seed in seeds]):
            yield finished.result()


def run_seed(scenario: Scenario, seed: int) -> Result:
    """One run; where a law was broken, a second one that follows the tile in question."""
    began = time.process_time()
    world = run(scenario, seed)
    broken = broken_laws(world)
    tile = next((law.tile for law in broken if law.tile), "")
    return Result(
        seed=seed,
        tiles=len(world.tiles),
        committed=len(world.commits),
        poisoned=world.poisoned_count,
        virtual_hours=(world.ended_at - EPOCH) / 3600,
        cpu_seconds=time.process_time() - began,
        happened=dict(world.happened),
        account=world.account,
        broken=tuple(law.sentence for law in broken[:TOLD]),
        broken_count=len(broken),
        history=tuple(_watch(scenario, seed, tile).history) if tile else (),
    )


def _watch(scenario: Scenario, seed: int, tile: str) -> World:
    return run(scenario, seed, prepare=lambda world: setattr(world, "watched", tile))
