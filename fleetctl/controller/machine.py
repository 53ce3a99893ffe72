"""One machine as a tick sees it: what the cloud lists, what its workers report, what we meant it to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contract.heartbeat import WorkerState
from fleetctl.controller.memory import Memory, VmMemory
from fleetctl.controller.policy import Policy, Pool
from fleetctl.controller.snapshot import ALLOCATED, BILLED, Power, Snapshot, VmSeen, WorkerSeen

TAKES_NOTHING = frozenset({WorkerState.LEAVING, WorkerState.UNFIT})


@dataclass(frozen=True, slots=True)
class Machine:
    """Joined by name. At least one of `seen` and `memory` is there."""

    name: str
    pool: Pool | None
    seen: VmSeen | None
    """None: the listing does not have it."""
    memory: VmMemory | None
    """None: we did not make it, or our record of it is lost."""
    live: tuple[WorkerSeen, ...]
    """Workers that reported lately, newest first."""
    late: tuple[WorkerSeen, ...]
    """Those that did not, newest first."""
    power: Power
    """Unknown where the listing does not have it."""
    held: int
    """Tiles that it holds, as far as anybody alive says."""

    @property
    def ours(self) -> VmMemory:
        """What we remember, for who looked that we do."""
        if self.memory is None:
            raise AssertionError(f"{self.name} is none that we remember")
        return self.memory

    @property
    def listed(self) -> VmSeen:
        """What the listing says, for who looked that it says something."""
        if self.seen is None:
            raise AssertionError(f"{self.name} is not in the listing")
        return self.seen

    @property
    def is_billed(self) -> bool:
        return self.power in BILLED

    @property
    def is_allocated(self) -> bool:
        """Billed, or about to be."""
        return self.power in ALLOCATED

    @property
    def slots(self) -> int:
        return self.pool.slots if self.pool else 0

    @property
    def free_slots(self) -> int:
        """Slots that could take a tile now or once it is up. Tiles that a worker took ahead of its need stay
        with it: they fill its own slot and no other."""
        taken = sum(worker.held > 0 or worker.state in TAKES_NOTHING for worker in self.live)
        return max(0, self.slots - taken)

    @property
    def has_left(self) -> bool:
        """By the last word of each of its workers none takes tiles any more, and none holds one."""
        return all(
            worker.held == 0 and worker.state in TAKES_NOTHING
            for worker in (*self.live, *self.late)
            if self.is_newer(worker)
        )

    @property
    def newest(self) -> WorkerSeen | None:
        """The worker heard of last."""
        return self.live[0] if self.live else self.late[0] if self.late else None

    def is_newer(self, worker: WorkerSeen) -> bool:
        """Did that worker begin after we last asked the machine to start?"""
        return (
            self.memory is None or self.memory.started_at is None or worker.started >= self.memory.started_at
        )


def machines(seen: Snapshot, memory: Memory, policy: Policy) -> Iterator[Machine]:
    """Every machine that is listed or remembered, in the order of their names."""
    listed: Mapping[str, VmSeen] = seen.vms or {}
    workers: dict[str, list[WorkerSeen]] = defaultdict(list)
    for worker in sorted(seen.workers or (), key=lambda worker: worker.age_seconds):
        workers[worker.vm].append(worker)
    limit = policy.patience.silent_limit
    pools = {pool.name: pool for pool in policy.pools}
    for name in sorted({*listed, *memory.vms}):
        found = listed.get(name)
        of_vm = workers.get(name, ())
        live = tuple([worker for worker in of_vm if worker.age_seconds <= limit])
        yield Machine(
            name=name,
            pool=pools.get(found.pool if found else pool_of(name, policy.fleet)),
            seen=found,
            memory=memory.vms.get(name),
            live=live,
            late=tuple(of_vm[len(live) :]),
            power=found.power if found else Power.UNKNOWN,
            held=sum([worker.held for worker in live]),
        )


def pool_of(name: str, fleet: str) -> str:
    """The pool in a machine's name; empty when the name is none of this fleet's."""
    if not name.startswith(f"{fleet}-"):
        return ""
    pool, _, number = name.removeprefix(f"{fleet}-").rpartition("-")
    return pool if number.isdigit() and len(number) == 4 else ""
