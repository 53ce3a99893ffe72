"""Machines in an SQLite file: what was asked for is done even when who asked is killed at once, as in a cloud.

Every listing moves machines that are on their way one step further. `killed_at` kills this process at its n-th
call, before or after it took effect.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from fleetctl.cloud.machines import NewVm, RateLeft, Refusal, Refused
from fleetctl.controller.machine import pool_of
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import Power, Quota, VmSeen

OFFER = Offer("westeurope", "Standard_NV36ads_A10_v5", Priority.SPOT)
NEXT = {
    Power.CREATING: Power.RUNNING,
    Power.STARTING: Power.RUNNING,
    Power.DEALLOCATING: Power.DEALLOCATED,
}


class MachinesDouble:
    """Implements Machines for one fleet."""

    def __init__(self, file: Path, fleet: str, killed_at: int = 0, *, is_after: bool = False) -> None:
        self._fleet = fleet
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=30)
        self._db.execute("pragma synchronous=off")  # survives the process, need not survive the machine
        self._db.execute("create table if not exists vms (name text primary key, power text)")
        self._db.execute("create table if not exists disks (vm text primary key)")
        self._db.execute("create table if not exists calls (verb text, name text, did integer)")
        self._lock = threading.Lock()
        self._calls = 0
        self._killed_at = killed_at
        self._is_after = is_after
        self.rate_left = RateLeft()

    def powers(self) -> dict[str, Power]:
        with self._lock:
            return {name: Power(power) for name, power in self._db.execute("select name, power from vms")}

    def disks(self) -> set[str]:
        return {vm for (vm,) in self._db.execute("select vm from disks")}

    def calls(self, verb: str) -> int:
        """How often that was done, not counting calls that changed nothing."""
        return int(self._db.execute("select count(*) from calls where verb=? and did", (verb,)).fetchone()[0])

    def evict(self) -> None:
        self._db.execute("update vms set power=? where power=?", (Power.DEALLOCATED, Power.RUNNING))

    def list_states(self) -> Iterator[VmSeen]:
        powers = self.powers()
        for power, after in NEXT.items():
            self._db.execute("update vms set power=? where power=?", (after, power))
        return iter([VmSeen(n, pool_of(n, self._fleet), OFFER, power) for n, power in powers.items()])

    def create(self, vm: NewVm) -> None:
        self._call("create", vm.name, {None: Power.CREATING})

    def start(self, name: str) -> None:
        self._call("start", name, {Power.DEALLOCATED: Power.STARTING})

    def deallocate(self, name: str) -> None:
        self._call("deallocate", name, dict.fromkeys((Power.RUNNING, Power.STOPPED), Power.DEALLOCATING))

    def delete(self, name: str) -> None:
        self._call("delete", name, dict.fromkeys(Power, Power.DELETING))

    def delete_resource(self, resource_id: str) -> None:
        self._db.execute("delete from disks where vm=?", (resource_id,))

    def leaks(self) -> Iterator[str]:
        return iter(sorted(self.disks() - set(self.powers())))

    def quota(self, region: str, priority: Priority) -> Quota:
        return Quota(100_000, 36 * len(self.powers()))

    def simulate_eviction(self, name: str) -> None:
        self._call("evict", name, {Power.RUNNING: Power.DEALLOCATED})

    def _call(self, verb: str, name: str, steps: dict[Power | None, Power]) -> None:
        with self._lock:
            self._calls += 1
            if self._calls == self._killed_at and not self._is_after:
                os.kill(os.getpid(), signal.SIGKILL)
            self._change(verb, name, steps)
            if self._calls == self._killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def _change(self, verb: str, name: str, steps: dict[Power | None, Power]) -> None:
        found = self._db.execute("select power from vms where name=?", (name,)).fetchone()
        before = Power(found[0]) if found else None
        if before is None and verb != "create":
            raise Refused(Refusal.GONE, "ResourceNotFound", f"there is no {name}")
        after = steps.get(before)
        self._db.execute("begin immediate")
        if after is Power.DELETING:
            self._db.execute("delete from vms where name=?", (name,))
            self._db.execute("delete from disks where vm=?", (name,))
        elif after is not None:
            self._db.execute("insert or replace into vms values (?, ?)", (name, after))
            self._db.execute("insert or ignore into disks values (?)", (name,))
        self._db.execute("insert into calls values (?, ?, ?)", (verb, name, after is not None))
        self._db.execute("commit")
