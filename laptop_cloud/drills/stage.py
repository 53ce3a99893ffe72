"""What a drill plays on: a fleet of its own over the run's storage, a job, and what may be waited for and asked.

Nothing here sleeps in the hope of something: every wait has a condition, a name and a limit.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.completion import CompletionWatch, completion
from contract.errors import TilefleetError
from contract.eviction import record_eviction
from contract.fleet_queues import FleetQueues
from contract.heartbeat import HeldTile, read_heartbeats
from contract.job import Job
from contract.job_store import read_job
from contract.ledger import LedgerReader
from contract.ledger_events import Event
from contract.queue_names import queue_names
from contract.tile_id import parse_tile
from contract.tile_queues.azure import AzureTileQueue
from fleetctl.audit.story_page import story_page
from fleetctl.audit.tile_story import find_askings, tell_story
from fleetctl.audit.verdict import EXPLAINED, Standing
from fleetctl.audit.verify import verify
from laptop_cloud.azurite import Endpoints
from laptop_cloud.drills.failure import DrillFailed, Interrupted
from laptop_cloud.drills.toy_tiles import YEAR, region
from laptop_cloud.machines.fleet import LEAVE_LIMIT_SECONDS, QUICK, LaptopFleet, Template, fleet
from laptop_cloud.machines.vm import LaptopVm
from laptop_cloud.relay_control import RelayControl

LIMIT_SECONDS = 240.0
"""For any one thing to happen, on a machine that is busy with other things."""
LOOK_SECONDS = 0.1
ASKING_AGAIN = 2
"""Times: typed again, an enqueue goes on."""
LEASE_SECONDS = int(QUICK["TILEFLEET_CONSUMER_LEASE_SECONDS"])
_JOB_LINE = re.compile(r"^\s*job\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A job of a drill, and what was asked with it."""

    job: Job
    tiles: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def infer_seconds(self) -> float:
        return float(self.settings["infer_seconds"])


@dataclass
class Stage:
    """One fleet of one drill. Used by the drill's own thread."""

    running: LaptopFleet
    chance: random.Random
    stop: threading.Event
    """Set when the whole run is to end."""
    broken_off: list[tuple[str, float]] = field(default_factory=list)
    """Tiles whose inference a harm of ours may have cut short, and after how many seconds, as heartbeats told."""
    remarks: list[str] = field(default_factory=list)
    """Figures of this drill alone, in words."""

    def __post_init__(self) -> None:
        clients = AzureClients(storage_endpoints(self.running.direct))
        names = queue_names(self.running.direct.name)
        self.store = AzureBlobStore(clients)
        self.queues = FleetQueues(
            *(AzureTileQueue(clients, name) for name in (names.tiles, names.urgent, names.poison))
        )
        self.vms: list[LaptopVm] = list(self.running.room.vms.values())

    @property
    def relay(self) -> RelayControl:
        assert self.running.relay is not None
        return self.running.relay

    def ask(self, count: int, **settings: Any) -> Asked:
        """Have the producer ask for so many tiles of a toy dataset."""
        settings = {"infer_seconds": 0.3, **settings}
        box, names = region(count)
        sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        words = ["enqueue", box, "--year", str(YEAR), "--recipe", "toy", *sets]
        match = _JOB_LINE.search(self._type_until_done("producer", *words))
        if match is None:
            raise DrillFailed("a job can be asked for", "the producer named none")
        return Asked(read_job(self.store, match.group(1)), tuple(names), settings)

    def type(self, program: str, *words: str, status: int = 0) -> str:
        """Run a command as a person would, to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", program, *words],
            env=dict(self.running.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        if done.returncode != status:
            typed = " ".join([program, *words])
            raise DrillFailed(
                f"`{typed}` ends with status {status}", f"status {done.returncode}: {done.stdout.strip()}"
            )
        return done.stdout

    def _type_until_done(self, program: str, *words: str) -> str:
        """As a person would on a machine so busy that its storage does not answer in time: again."""
        for _ in range(ASKING_AGAIN):
            with contextlib.suppress(DrillFailed):
                return self.type(program, *words)
        return self.type(program, *words)

    def wait_for(
        self, condition: Callable[[], bool], what: str, limit_seconds: float = LIMIT_SECONDS, tile: str = ""
    ) -> float:
        """Until it holds; how many seconds that took."""
        began = time.monotonic()
        while not condition():
            if self.stop.wait(LOOK_SECONDS):
                raise Interrupted("interrupted")
            if time.monotonic() - began > limit_seconds:
                raise DrillFailed("it goes on", f"waited {limit_seconds:g} s for {what}", tile)
        return time.monotonic() - began

    def held(self, vm: LaptopVm, stage: str = "") -> list[HeldTile]:
        """The tiles that the VM's workers told of in their last heartbeats, or those of one stage."""
        return [
            tile
            for seen in read_heartbeats(self.store).seen
            if seen.heartbeat.vm == vm.name
            for tile in seen.heartbeat.tiles
            if stage in {"", tile.stage}
        ]

    def victim(self, asked: Asked, *, holding: int = 1) -> LaptopVm:
        """The first VM, in an order drawn by lot, that infers a tile and holds so many that are not uploaded yet.

        DrillFailed when the job ends before one is seen.
        """
        watch = CompletionWatch(self.store, asked.job.id)
        order = self.chance.sample(self.vms, len(self.vms))
        busy: list[LaptopVm] = []

        def look() -> bool:
            busy.extend(vm for vm in order if self._is_busy(vm, holding))
            if not busy and watch.is_complete():
                raise DrillFailed(
                    "a VM is seen at work while there is some",
                    f"{asked.job.id} ended before that: play it again",
                )
            return bool(busy)

        self.wait_for(look, "a VM that infers a tile")
        return busy[0]

    def _is_busy(self, vm: LaptopVm, holding: int) -> bool:
        stages = [tile.stage for tile in self.held(vm) if tile.stage not in {"upload", "settle"}]
        return "infer" in stages and len(stages) >= holding

    def note_harm(self, asked: Asked, *vms: LaptopVm) -> None:
        """Remember what is in inference on these VMs, which are about to be harmed."""
        self.broken_off += [
            (tile.tile, tile.progress * asked.infer_seconds) for vm in vms for tile in self.held(vm, "infer")
        ]

    def say_evicted(self, vm: LaptopVm) -> None:
        """What the controller does when it finds a machine deallocated that nobody announced."""
        assert vm.boot is not None
        record_eviction(self.store, vm.name, vm.boot.id, seen_by="controller", reason="deallocated")

    def rehost(self, vm: LaptopVm) -> None:
        """What the controller does about a machine that is unfit."""
        vm.deallocate()
        vm.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile no VM does anything: what is asked begins when all of it is there."""
        for vm in self.vms:
            vm.freeze()
        try:
            yield
        finally:
            for vm in self.vms:
                vm.thaw()

    def committed(self, asked: Asked) -> int:
        return completion(self.store, asked.job.id).committed

    def await_commits(self, asked: Asked, count: int) -> None:
        """Until at least so many tiles are committed."""
        self.wait_for(lambda: self.committed(asked) >= count, f"{count} commits")

    def await_end(self, asked: Asked) -> None:
        """Until every tile is committed or explained; a failure names one that is neither."""
        watch = CompletionWatch(self.store, asked.job.id)
        try:
            self.wait_for(watch.is_complete, f"the end of {asked.job.id}")
        except DrillFailed as failure:
            audit = verify(self.store, asked.job, connections=1)
            open_tiles = audit.tiles_that_are(*(set(Standing) - {Standing.COMMITTED, *EXPLAINED}))
            failure.tile = next((tile.name for tile in open_tiles), "")
            raise

    def has_ended(self, asked: Asked) -> bool:
        """Whether every tile is committed or explained now."""
        return completion(self.store, asked.job.id).is_complete

    def await_empty_queues(self) -> None:
        """Until no message is left, also of those that are hidden."""
        work = (self.queues.tiles, self.queues.urgent)
        self.wait_for(lambda: not any(queue.depth() for queue in work), "the queues to be empty")

    def await_status(self, vm: LaptopVm, status: int) -> float:
        """Until the VM's consumer has ended so."""
        wanted = f"ended ({status})"
        return self.wait_for(
            lambda: vm.consumer_says == wanted, f"{vm.name} to end with {status}, log: {vm.log_path}"
        )

    def events(self, *names: str) -> list[Event]:
        """All ledger lines of these names, or all, in the order of their times."""
        events, _ = LedgerReader(self.store).read_new({})
        return sorted(
            (event for event in events if not names or event["name"] in names),
            key=lambda event: str(event["time"]),
        )

    def dismiss(self) -> None:
        """All VMs leave in order, so that the ledger is whole. None of them works after this."""
        with contextlib.suppress(TilefleetError):
            self.relay.behave()
        self.running.room.shut_down(LEAVE_LIMIT_SECONDS)

    def history(self, tile: str) -> str:
        """What `fleetctl explain` tells of a tile."""
        name = parse_tile(tile)
        page = io.StringIO()
        console = Console(file=page, width=140)
        for story in tell_story(self.store, name, find_askings(self.store, name, None)):
            console.print(story_page(story, self.store.now()))
        return page.getvalue()


@contextlib.contextmanager
def playing(
    storage: Endpoints,
    folder: Path,
    count: int,
    chance: random.Random,
    stop: threading.Event,
    template: Template | None = None,
) -> Iterator[Stage]:
    """A stage with `count` VMs; a failure leaves it with the history of its tile."""
    with fleet(storage, folder, count, template=template) as running:
        stage = Stage(running, chance, stop)
        try:
            yield stage
        except DrillFailed as failure:
            if failure.tile and not failure.history:
                failure.history = stage.history(failure.tile)
            raise
