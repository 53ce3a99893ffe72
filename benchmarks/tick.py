"""What one tick of the controller costs: `python benchmarks/tick.py [MACHINES ...]`.

Real parts: the SDK's listing against the laptop cloud's Resource Manager (a process of its own, machines without
processes), heartbeats, queues and a ledger that every worker wrote to since the last pass, on Azurite. A power
change is noticed by the tick after it: at most the tick's pause and its own seconds later.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import LAPTOP_FOLDER, Fleet
from contract.fleet_queues import FleetQueues
from contract.heartbeat import Heartbeat, WorkerState, write_heartbeat
from contract.ledger import LedgerWriter
from contract.ledger_events import STAGE_ENDED
from contract.tile_queues.azure import AzureTileQueue
from fleetctl.cloud.azure import AzureMachines, Place
from fleetctl.cloud.clients import NoCredential
from fleetctl.controller.decide import decide
from fleetctl.controller.memory import Memory
from fleetctl.controller.memory_codec import encode_memory
from fleetctl.controller.observe import Eyes
from fleetctl.controller.policy import Limits, Offer, Policy, Pool, Priority, vm_name
from fleetctl.history.follow import LedgerHistory
from laptop_cloud import azurite
from laptop_cloud.resource_manager.account import Account
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.compute import Backends
from laptop_cloud.resource_manager.hollow import HollowMachines
from laptop_cloud.resource_manager.records import Machine, PowerState, World
from laptop_cloud.resource_manager.saved import save
from laptop_cloud.resource_manager.server import running

REPOSITORY = Path(__file__).resolve().parents[1]
FLEET = "bench"
REGION, SIZE = "westeurope", "Standard_D2s_v5"
TICKS = 3


def serve(path: Path, channel) -> None:
    """The Resource Manager, until it is told to end."""
    clock = CloudClock()
    with running(path, clock, Backends(HollowMachines(clock))) as manager:
        channel.send(manager.url)
        channel.recv()


@contextmanager
def resource_manager(folder: Path, count: int) -> Iterator[str]:
    """Its address; so many machines run there."""
    account, world = Account(), World()
    for number in range(1, count + 1):
        name = vm_name(FLEET, "cpu", number)
        model = {"hardwareProfile": {"vmSize": SIZE}, "priority": "Spot"}
        tags = {"tilefleet-fleet": FLEET}
        world.machines[name] = Machine(
            name,
            account.group,
            REGION,
            model,
            tags,
            name,
            0.0,
            power=PowerState.RUNNING,
            provisioning="Succeeded",
        )
    save(folder / "machines.json", world)
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(folder / "machines.json", there)
    )
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("end")
        process.join(20)
        process.kill()  # a server that still answers somebody must not hold the figures up


def heartbeat(number: int) -> Heartbeat:
    name = vm_name(FLEET, "cpu", number)
    started = "2026-01-01T00:00:00+00:00"
    return Heartbeat(name, name, "boot1", started, WorkerState.IDLE, (), 0, 12.0, 10**9, None, 0)


def measure(count: int, folder: Path, endpoints: azurite.Endpoints) -> str:
    """Some ticks, in words."""
    fleet = Fleet(FLEET, "laptop", "here", endpoints.queue_url, endpoints.blob_url, f"bench{count}")
    clients = AzureClients(storage_endpoints(fleet))
    store = AzureBlobStore(clients)
    store.ensure()
    queues = FleetQueues(*(AzureTileQueue(clients, f"{FLEET}{count}-{name}") for name in ("a", "b", "c")))
    queues.ensure()
    ledgers = [LedgerWriter(store, f"w{number}") for number in range(count)]
    pool = Pool("cpu", Offer(REGION, SIZE, Priority.SPOT), 2, 1, 0, count)
    policy = Policy(FLEET, (pool,), Limits(vms=count))
    history = LedgerHistory(store)
    with resource_manager(folder, count) as url, ThreadPoolExecutor(8) as hands:
        account = Account()
        place = Place(FLEET, account.subscription, account.group, {"cpu": pool.offer}, url)
        eyes = Eyes(
            machines=AzureMachines(place, NoCredential()),
            store=store,
            queues=queues,
            history=history,
            prices=lambda offers: dict.fromkeys(offers, 0.1),
            policy=policy,
            leaks=tuple,
        )
        list(hands.map(lambda number: write_heartbeat(store, heartbeat(number + 1)), range(count)))
        memory, walls, cpus, folds = Memory(), [], [], []
        for _ in range(TICKS):
            list(hands.map(grow, ledgers))
            folds.append(timed(history.follow_once))
            wall, cpu, memory = tick(eyes, memory, policy)
            walls.append(wall)
            cpus.append(cpu)
    assert len(memory.vms) == count, f"{len(memory.vms)} of {count} machines were seen"
    fold_wall, fold_cpu = (statistics.median(side) for side in zip(*folds, strict=True))
    return (
        f"{count:,} machines: a tick takes {statistics.median(walls):.2f} s (at most {max(walls):.2f}), "
        f"{statistics.median(cpus):.2f} s of processor time; a pass over the ledger, beside it, "
        f"{fold_wall:.2f} s ({fold_cpu:.2f} s of processor time)"
    )


def tick(eyes: Eyes, memory: Memory, policy: Policy) -> tuple[float, float, Memory]:
    """Look, decide and encode what is remembered: all of a tick but the calls that it decides on."""
    began, cpu = time.perf_counter(), time.process_time()
    seen = eyes.look()
    assert not seen.missing, seen.missing
    decision = decide(seen, memory, policy)
    encode_memory(decision.memory)
    return time.perf_counter() - began, time.process_time() - cpu, decision.memory


def grow(ledger: LedgerWriter) -> None:
    for _ in range(8):
        ledger.write(STAGE_ENDED, tile="grid_0.05_51.55", attempt="0" * 12, stage="infer", seconds=262.0)
    ledger.flush()


def timed(step) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - began, time.process_time() - cpu


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machines", type=int, nargs="*", default=[500, 2000])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with azurite.running(azurite.install(REPOSITORY / LAPTOP_FOLDER), folder / "azurite") as endpoints:
            for count in parser.parse_args(arguments).machines:
                place = folder / str(count)
                place.mkdir()
                print(measure(count, place, endpoints), flush=True)


if __name__ == "__main__":
    main()
