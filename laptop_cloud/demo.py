"""`make demo`: the main job on the laptop cloud, with the commands that an operator types.

The controller makes the machines, starts again what is evicted in the middle, and lets all go at the end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_store import BlobStore
from contract.blob_stores.azure import AzureBlobStore
from contract.completion import completion
from contract.errors import TilefleetError
from contract.heartbeat import read_heartbeats
from contract.job_store import list_jobs
from fleetctl.progress_bars import count_progress
from laptop_cloud import cloud, managed
from laptop_cloud.control import server
from laptop_cloud.control.managed_orders import ManagedOrders
from laptop_cloud.demo_region import REGION, YEAR, demo_scenes
from laptop_cloud.managed import Managed, ManagedPlan
from laptop_cloud.processes import Child
from laptop_cloud.resource_manager.records import PowerState
from laptop_cloud.watching import account, controller, in_words

MODEL = "v2-nano"
RESOLUTION_METRES = 100
VMS = 3
PLAN = ManagedPlan(
    most_machines=VMS,
    speed=30,
    real_machines=VMS,
    state_file="demo-machines.json",
    worker_environ={"TILEFLEET_CONSUMER_MOST_TILES": "2"},
)
"""A machine boots in a second or two instead of forty, and goes after ten seconds without a tile. Workers hold few
tiles at a time: eighteen are soon in somebody's hands, and an evicted machine would not be missed."""
TILES_BEFORE_EVICTION = 2
NOTICE_SECONDS = 8
"""Azure's is 30: within that, a worker finishes all that it has of these small tiles."""
LOOK_SECONDS = 0.5
LEAVE_SECONDS = 3.0
GONE_LIMIT_SECONDS = 120.0
"""From the end of the job to the last machine's, on a machine that is busy with other things."""


class DemoFailed(TilefleetError):
    """One of the demo's commands failed; it has said why."""


def run_demo(home: Path) -> None:
    """Process the island and leave a picture of it; everything that was started is ended."""
    with cloud.sole(home):
        _run(home)


def _run(home: Path) -> None:
    scenes = demo_scenes(home)
    data = home / "demo-data"
    shutil.rmtree(data, ignore_errors=True)  # a fresh island each time: the scenes and programs stay
    shutil.rmtree(home / "logs", ignore_errors=True)
    (home / PLAN.state_file).unlink(missing_ok=True)
    picture = home / "demo" / "isle-of-man.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    with (
        cloud.running(home, data, scenes=scenes) as laptop,
        cloud.machines(laptop, cloud.Machines(0)) as room,
        managed.machines(laptop, room, PLAN) as made,
        server.running(home, laptop, room, ManagedOrders(made)),
    ):
        store = AzureBlobStore(AzureClients(storage_endpoints(laptop.fleet)))
        _process(laptop, store, made, picture)
    print(f"\nmosaic: {_short(picture)}   logs: {_short(home / 'logs')}", flush=True)


def _process(laptop: cloud.LaptopCloud, store: BlobStore, made: Managed, picture: Path) -> None:
    log = laptop.home / "logs" / "watch.log"
    print(f"\n$ fleetctl watch   # goes on beside the others; its log: {_short(log)}", flush=True)
    with controller(laptop.environ, log) as watch:
        _type(
            laptop,
            ["producer", "enqueue", REGION, "--year", str(YEAR)],
            ["--set", f"model={MODEL}", "--set", f"resolution={RESOLUTION_METRES}"],
        )
        (job,) = (known.id for known in list_jobs(store))  # the storage was empty before
        with _typing(laptop, "fleetctl", "status", "--job", job, "--until-done") as status:
            _follow(laptop, store, job, lambda: status.poll() is None and _is_well(watch))
        _type(laptop, ["fleetctl", "mosaic", job, "--output", str(_short(picture))])
        _type(laptop, ["fleetctl", "summary", job])
        _await_none(made, watch)
    print(f"\n{in_words(account(store))}", flush=True)


def _follow(laptop: cloud.LaptopCloud, store: BlobStore, job: str, goes_on: Callable[[], bool]) -> None:
    """To the end of the job. In its middle a machine that works is taken; it is said when that moment never came."""
    is_evicted = False
    while goes_on():
        if not is_evicted and completion(store, job).committed >= TILES_BEFORE_EVICTION:
            is_evicted = _evict_one(laptop, store)
        threading.Event().wait(LOOK_SECONDS)
    if not is_evicted:
        print("\nthe job was done before a machine could be evicted: nobody was", flush=True)


def _evict_one(laptop: cloud.LaptopCloud, store: BlobStore) -> bool:
    """Whether there was one that works."""
    vm = _busy_machine(store)
    if vm:
        with contextlib.suppress(DemoFailed):  # on its way elsewhere at this moment: there are others
            _type(laptop, ["laptop-cloud", "evict", vm, "--notice-seconds", str(NOTICE_SECONDS)])
            return True
    return False


def _is_well(watch: Child) -> bool:
    """DemoFailed when the controller has ended: nobody would make machines any more."""
    if not watch.is_running():
        raise DemoFailed(f"`fleetctl watch` has ended by itself; its log is {_short(watch.log_path)}")
    return True


def _busy_machine(store: BlobStore) -> str:
    """The one that holds most tiles beside one that it infers, as its last heartbeat says; empty: none does."""
    holding = [
        (len(tiles), seen.heartbeat.vm)
        for seen in read_heartbeats(store).seen
        if len(tiles := seen.heartbeat.tiles) > 1 and any(tile.stage == "infer" for tile in tiles)
    ]
    return max(holding, default=(0, ""))[1]


def _await_none(made: Managed, watch: Child) -> None:
    """Until the controller has let the last machine go. DemoFailed when it does not."""
    compute, began = made.manager.compute, time.monotonic()
    with count_progress(Console(stderr=True), "machines going", VMS) as on_gone:
        while _is_well(watch):
            with compute.at_this_moment() as world:
                left = {machine.name: machine.power for machine in world.machines.values()}
            if not left:
                break
            if time.monotonic() - began > GONE_LIMIT_SECONDS:
                billed = sum(power is not PowerState.DEALLOCATED for power in left.values())
                raise DemoFailed(
                    f"{len(left)} machines are still there, {billed} of them billed: {', '.join(left)}"
                )
            on_gone(max(0, VMS - len(left)))
            threading.Event().wait(LOOK_SECONDS)


def _type(laptop: cloud.LaptopCloud, *parts: Sequence[str]) -> None:
    """Run one of our commands as a person would, and show what was typed."""
    with _typing(laptop, *(word for part in parts for word in part)):
        pass


@contextlib.contextmanager
def _typing(laptop: cloud.LaptopCloud, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of our commands while the block lasts, and then to its end. DemoFailed when that is no good one."""
    program, *arguments = words
    shown = " ".join(f"'{word}'" if " " in word else word for word in words)
    print(f"\n$ {shown}", flush=True)
    command = [sys.executable, "-m", program.replace("-", "_"), *arguments]
    process = subprocess.Popen(command, env=dict(laptop.environ))
    try:
        yield process
        status = process.wait()
    finally:
        _end(process)
    if status != 0:
        logs = _short(laptop.home / "logs")
        raise DemoFailed(f"`{shown}` ended with status {status}; the workers' logs are in {logs}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Whatever the reason. Ctrl-C reaches it by itself: told twice, it would stumble on its way out."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(LEAVE_SECONDS)
    if process.poll() is None:
        process.terminate()
        process.wait()


def _short(path: Path) -> Path:
    """Relative to here where that is shorter."""
    return Path(os.path.relpath(path))
