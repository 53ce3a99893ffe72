"""How fast and how flat an enqueue is: `python benchmarks/enqueue.py [--skip-azurite]`.

1. Messages a second of the bulk sender against a stand-in process, both on this machine's cores.
2. Peak memory of a whole enqueue of 16,000 and of 160,000 tiles (records in memory are not counted in).
3. Seconds of `producer enqueue UK` into Azurite, which is what limits it.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import queue_stand_in

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.fleet import Fleet
from contract.fleet_queues import FleetQueues
from contract.job import Job
from contract.recipe import find_recipe
from contract.tile_queues.azure import AzureTileQueue
from contract.tile_queues.simulated import SimulatedQueues
from laptop_cloud import azurite
from producer.bulk_queue import Authority, BulkTileQueue, SenderPool
from producer.enqueue import Storage, enqueue_job
from producer.plan import Ask, JobPlan, Pins, make_dataset, plan_jobs
from producer.send import BATCH_TILES, Report
from producer.settings import Settings, available_cores

REPOSITORY = Path(__file__).resolve().parents[1]
MIB = 1024 * 1024


class Silent:
    """Shows nothing."""

    def sending(self, _job: Job, _start: int, _end: int) -> Report:
        return lambda _position, _new: None

    def say(self, sentence: str) -> None:
        print(sentence)


def plan_of(count: int) -> JobPlan:
    """A job of `count` cells."""
    index = np.arange(count)
    cells = np.stack([index // 3600, index % 3600 - 1800], axis=1).astype(np.int16)
    recipe = find_recipe("tessera")
    pins = Pins(recipe, recipe.resolve({}), None, is_trained=False, boundaries_sha256="b" * 64)
    ask = Ask("bench", False, "bench", cells, None, 0, is_urgent=False)
    dataset = make_dataset(pins, 2024, is_partial=False)
    return plan_jobs(ask, [dataset], pins.settings, created="2025-01-01T00:00:00+00:00")[0]


def enqueue_to_stand_in(count: int, processes: int) -> tuple[float, float]:
    """(messages a second, peak MiB of the producer itself) for `count` tiles, processes started before."""
    settings = Settings()
    with queue_stand_in.running() as (url, pipe), SenderPool(processes, settings.connections) as pool:
        queues = SimulatedQueues()
        sdk = queues.queue("bench-tiles")
        bulk = BulkTileQueue(sdk, url, Authority("a2V5"), pool)
        bulk.send_many(["warm up"] * BATCH_TILES)
        storage = Storage(SimulatedBlobStore(), FleetQueues(bulk, bulk, sdk))
        began = time.perf_counter()
        outcome = enqueue_job(storage, plan_of(count), now="2025-01-01T00:00:00+00:00", watcher=Silent())
        seconds = time.perf_counter() - began
        pipe.send("count")
        assert pipe.recv() == outcome.new + BATCH_TILES == count + BATCH_TILES
    return count / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_a_fresh_process(count: int, processes: int) -> tuple[float, float]:
    """The same in a process of its own, whose peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(enqueue_to_stand_in, count, processes).result()


def enqueue_into_azurite(region: str) -> tuple[float, str]:
    """Seconds of the whole command, and what it said last but two."""
    with (
        tempfile.TemporaryDirectory() as folder,
        azurite.running(azurite.install(REPOSITORY / ".laptop"), Path(folder) / "data") as endpoints,
    ):
        fleet = Fleet("bench", "laptop", "here", endpoints.queue_url, endpoints.blob_url, "bench")
        clients = AzureClients(storage_endpoints(fleet))
        AzureBlobStore(clients).ensure()
        for name in ("bench-tiles", "bench-urgent"):
            AzureTileQueue(clients, name).ensure()
        file = Path(folder) / "bench.toml"
        file.write_text(
            f'name = "bench"\nkind = "laptop"\nlocation = "here"\n[storage]\ncontainer = "bench"\n'
            f'queue_url = "{fleet.queue_url}"\nblob_url = "{fleet.blob_url}"\n'
        )
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "producer", "enqueue", region, "--fleet", str(file)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        return time.perf_counter() - began, done.stderr.splitlines()[-3]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip-azurite", action="store_true")
    options = parser.parse_args(arguments)
    cores = available_cores()
    for processes in sorted({1, cores}):
        rate, _ = in_a_fresh_process(20_000, processes)
        print(
            f"bulk sender, {processes} process(es), stand-in on the same {cores} cores: {rate:,.0f} messages/s"
        )
    for count in (16_000, 160_000):
        rate, peak = in_a_fresh_process(count, cores)
        print(f"{count:,} tiles: producer's peak memory {peak:.0f} MiB, {rate:,.0f} messages/s")
    if not options.skip_azurite:
        seconds, counts = enqueue_into_azurite("UK")
        print(f"producer enqueue UK into Azurite: {seconds:.1f} s ({counts})")


if __name__ == "__main__":
    main()
