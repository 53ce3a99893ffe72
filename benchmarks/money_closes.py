"""How far the controller's account is from the cloud's own meter, for a fleet that is evicted and started again.

    python benchmarks/money_closes.py --machines 20 --minutes 4

A real `fleetctl watch` on real storage, and the laptop's Resource Manager, whose clock is fast, with hollow machines.
Messages that nobody takes keep them wanted; one machine after the other is taken without a word and comes back. Then
the messages go, and so do the machines. A tick is a second instead of 15, so minutes here stand for an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from contract.blob_store import BlobStore
from contract.errors import StorageError
from contract.fleet import laptop_folder
from fleetctl.controller.memory import Spend
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.rules.charge import DISK_USD_PER_HOUR
from laptop_cloud.drills import run
from laptop_cloud.drills.controlled import Controlled, playing_controlled
from laptop_cloud.drills.play import Scene
from laptop_cloud.resource_manager.meter import SECONDS_PER_HOUR, Bill

LOOK_SECONDS = 0.2
LEAVE_SECONDS = 30.0
CLOSES_WITHIN = 0.01
"""Of what the meter says, beside a tick for each time that a machine got or lost its hardware."""


@dataclass(frozen=True)
class Compared:
    """The account and the meter, when the last machine is gone."""

    spend: Spend
    bill: Bill
    tick_seconds: float
    """The longest between two looks of the controller."""

    @property
    def metered_usd(self) -> float:
        return self.bill.compute_usd + self.bill.disk_hours * DISK_USD_PER_HOUR

    @property
    def between_looks_usd(self) -> float:
        """The most that can happen unseen: a tick for each beginning and end of a machine's time."""
        usd_per_hour = self.metered_usd / self.bill.machine_hours
        return self.bill.switches * self.tick_seconds / SECONDS_PER_HOUR * usd_per_hour

    @property
    def is_closed(self) -> bool:
        allowed_usd = CLOSES_WITHIN * self.metered_usd + self.between_looks_usd
        return abs(self.spend.paid - self.metered_usd) <= allowed_usd

    def __str__(self) -> str:
        charged_hours = sum(self.spend.vm_hours.values())
        return (
            f"meter: {self.metered_usd:.6f} USD, {self.bill.machine_hours * SECONDS_PER_HOUR:.0f} machine seconds; "
            f"account: {self.spend.paid / self.metered_usd - 1:+.2%} USD, "
            f"{charged_hours / self.bill.machine_hours - 1:+.2%} seconds; {self.bill.switches} beginnings and ends, "
            f"the longest tick {self.tick_seconds:.1f} s"
        )


@dataclass
class Ticks:
    """Up to when the account was charged, each time that it was looked at."""

    moments: list[float] = field(default_factory=list)

    def look(self, store: BlobStore) -> None:
        with contextlib.suppress(StorageError):
            moment = MemoryStore(store).load().spend.counted_until
            if moment and moment not in self.moments[-1:]:
                self.moments.append(moment)

    @property
    def longest_seconds(self) -> float:
        return max((later - earlier for earlier, later in pairwise(self.moments)), default=0.0)


def play(scene: Scene, machines: int, evictions: int, *, seconds_between: float = 0.0) -> Compared:
    """So many machines, of which some are evicted one after the other, each once."""
    with (
        playing_controlled(scene, machines, real_machines=0) as played,
        watching_ticks(played.stage.store) as ticks,
    ):
        played.start_watch()
        # A machine whose price is not known yet is charged at a dear guess.
        played.stage.wait_for((scene.folder / "prices.json").exists, "the price list")
        played.stage.queues.tiles.send_many(["{}"] * machines)
        played.await_running(machines)
        for victim in scene.chance.sample(sorted(played.orders.at_risk()), evictions):
            scene.stop.wait(seconds_between)
            evict(played, victim)
            played.await_running(machines)
        scene.stop.wait(seconds_between)
        played.stage.queues.tiles.clear()
        played.await_converged()
        played.watches.close()
        ticks.look(played.stage.store)
        spend = MemoryStore(played.stage.store).load().spend
        return Compared(spend, played.made.manager.compute.bill(), ticks.longest_seconds)


def evict(played: Controlled, victim: str) -> None:
    """Without a word; until it is gone."""
    played.evict(victim, None)
    played.stage.wait_for(lambda: victim not in played.orders.at_risk(), f"{victim} to be taken")


@contextlib.contextmanager
def watching_ticks(store: BlobStore) -> Iterator[Ticks]:
    ticks, stop = Ticks(), threading.Event()

    def look() -> None:
        while not stop.wait(LOOK_SECONDS):
            ticks.look(store)

    looking = threading.Thread(target=look, name="ticks", daemon=True)
    looking.start()
    try:
        yield ticks
    finally:
        stop.set()
        looking.join(LEAVE_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", type=int, default=20)
    parser.add_argument("--evictions", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with run.running(laptop_folder(os.environ, Path.cwd()).absolute()) as started:
        chance = random.Random(options.seed)
        folder = started.folder / "money"
        scene = Scene(options.seed, chance, started.storage, started.emulator, folder, started.stop)
        seconds_between = options.minutes * 60 / (options.evictions + 1)
        compared = play(scene, options.machines, options.evictions, seconds_between=seconds_between)
        shutil.rmtree(folder, ignore_errors=True)
    print(compared)
    sys.exit(0 if compared.is_closed else 1)


if __name__ == "__main__":
    main()
