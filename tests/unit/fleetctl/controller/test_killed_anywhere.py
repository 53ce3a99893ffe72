"""The controller killed at every step that reaches the world, before it or right after it: calls of the cloud, its
record, lease, history, alerts and ledger, drain orders, accounts, wishes, jobs. Its successors go on.

In virtual time. A killed controller reaches nothing any more: whatever its process still does has no effect, and its
lease runs out.
"""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract import artifact_names
from contract.errors import StorageUnavailable
from contract.heartbeat import Heartbeat, WorkerState, write_heartbeat
from contract.job import JobState
from contract.job_store import read_status
from fleetctl.cloud.machines import NewVm, RateLeft
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.policy import Limits, Patience
from fleetctl.controller.snapshot import Power, VmSeen
from fleetctl.controller.wish import Wish
from fleetctl.controller.wishes import ask, read_wishes
from tests.machines_double import MachinesDouble
from tests.unit.fleetctl.controller.daemon_rig import DaemonRig
from tests.unit.fleetctl.controller.toy_cloud import policy
from tests.unit.fleetctl.history.history_rig import TILES, HistoryRig

MACHINES = 3
SICK = "uk-a10-0002"
LEASE_SECONDS = 60.0
MOST_LIVES = 400
ALL_STEPS_STORIES = 3
"""In these a controller may be killed at every step, in those after them at those where none was yet."""
MOST_STORIES = 40
_VARIES = re.compile(r"(?<=/)[0-9a-f]{12}$|controller-[0-9a-f]+")
"""In blob names: a wish's own number, a ledger's stream."""

Step = tuple[str, str, str]
"""`before` or `after`, what is done, to what."""


@dataclass
class Life:
    """Of one controller: it ends at the first of some steps, and reaches nothing after that."""

    ends_at: frozenset[Step] = frozenset()
    stop: threading.Event = field(default_factory=threading.Event)
    steps: set[Step] = field(default_factory=set)
    ended_at: Step | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, moment: str, operation: str, name: str) -> None:
        with self._lock:
            step = (moment, operation, _VARIES.sub("*", name))
            if self.ended_at is None:
                self.steps.add(step)
                if step not in self.ends_at:
                    return
                self.ended_at = step
                self.stop.set()
            raise StorageUnavailable("this controller is dead")


@dataclass
class MortalMachines:
    """The machines, for as long as the controller lives."""

    machines: MachinesDouble
    life: Life
    rate_left: RateLeft = field(default_factory=RateLeft)

    def __getattr__(self, name: str):
        return getattr(self.machines, name)

    def list_states(self) -> Iterator[VmSeen]:
        self.life.step("before", "list", "machines")
        return self.machines.list_states()

    def create(self, vm: NewVm) -> None:
        self._call("create", vm.name, lambda: self.machines.create(vm))

    def start(self, name: str) -> None:
        self._call("start", name, lambda: self.machines.start(name))

    def deallocate(self, name: str) -> None:
        self._call("deallocate", name, lambda: self.machines.deallocate(name))

    def delete(self, name: str) -> None:
        self._call("delete machine", name, lambda: self.machines.delete(name))

    def _call(self, verb: str, name: str, call: Callable[[], None]) -> None:
        self.life.step("before", verb, name)
        call()
        self.life.step("after", verb, name)


class Story(DaemonRig):
    """A fleet's days, controller after controller."""

    def __init__(self, folder: Path, ends_at: set[Step], seed: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        patience = Patience(idle_grace=60.0)
        self.policy = replace(policy(most=MACHINES), patience=patience, limits=Limits(MACHINES, rehosts=0))
        self.ends_at = ends_at
        self.chance = random.Random(seed)
        self.steps: set[Step] = set()
        self.killed: list[Step] = []
        self.boots: Counter[str] = Counter()
        self.up_since: dict[str, float] = {}
        self.sick: set[str] = set()
        self.is_busy = True
        self.jobs = HistoryRig()
        self.jobs.store = self.store()

    def play(self) -> None:
        """Growth, a sick machine that a person starts again, a mass eviction, the end, a job that is finished."""
        self.ask(MACHINES)
        self.until(self.all_run)
        self.sick.add(SICK)
        self.until(lambda: self.machines.powers()[SICK] is Power.DEALLOCATED)
        self.sick.clear()
        ask(self.store(), SICK, Wish.START, reason="its GPU was changed")
        self.until(lambda: self.all_run() and self.boots[SICK] == 2 and not read_wishes(self.store()))
        self.machines.evict()
        self.until(self.all_run)
        for message in self.queues_of().receive(32, 60):
            self.queues_of().complete(message)
        self.is_busy = False
        self.until(lambda: not self.machines.powers())
        self.jobs.poison(TILES[0])
        self.job_id = self.jobs.ask(tiles=TILES[:1]).id
        self.until(lambda: f"job.finished:{self.job_id}" in {facts["alert"] for facts in self.told})
        for _ in range(3):
            self.live()

    def all_run(self) -> bool:
        powers = self.machines.powers()
        return len(powers) == MACHINES and set(powers.values()) == {Power.RUNNING}

    def until(self, goal: Callable[[], bool]) -> None:
        """Until a controller lived through a tick, and the goal is reached."""
        for _ in range(MOST_LIVES):
            if self.live() and goal():
                return
        raise AssertionError(f"not converged: {self.machines.powers()}")

    def live(self) -> bool:
        """One controller's tick; whether it was not killed."""
        self.tell_heartbeats()
        some = frozenset(step for step in sorted(self.ends_at) if self.chance.random() < 0.5)
        life = Life(some)
        machines, self.machines = self.machines, MortalMachines(self.machines, life)  # type: ignore[assignment]
        try:
            self.controller(fault=life.step, stop=life.stop).run(once=True)
        finally:
            self.machines = machines
        self.now += self.policy.patience.tick
        self.steps |= life.steps
        if life.ended_at is None:
            return True
        self.killed.append(life.ended_at)
        self.ends_at.discard(life.ended_at)
        self.now += LEASE_SECONDS
        return False

    def tell_heartbeats(self) -> None:
        """Workers of running machines hold a tile each, until they are told to drain or there is none left."""
        draining = set(self.store().names("drains/"))
        powers = self.machines.powers()
        self.up_since = {name: at for name, at in self.up_since.items() if powers.get(name) is Power.RUNNING}
        for name, power in powers.items():
            if power is not Power.RUNNING:
                continue
            if name not in self.up_since:
                self.up_since[name] = self.now
                self.boots[name] += 1
            state = WorkerState.WORKING if self.is_busy else WorkerState.IDLE
            if name in self.sick:
                state = WorkerState.UNFIT
            elif artifact_names.drain(name) in draining:
                state = WorkerState.LEAVING
            held = int(state is WorkerState.WORKING)
            started = datetime.fromtimestamp(self.up_since[name], UTC).isoformat()
            boot = f"boot{self.boots[name]}"
            beat = Heartbeat(f"{name}-s0", name, boot, started, state, (), held, 0.0, 0, None, 0)
            write_heartbeat(self.store(), beat)

    def check_end(self) -> None:
        """As if one controller had lived through it all."""
        assert self.machines.disks() == set()
        assert MemoryStore(self.store()).load().vms == {}
        assert {verb: self.machines.calls(verb) for verb in ("create", "start", "deallocate", "delete")} == {
            "create": MACHINES,
            "start": MACHINES + 1,
            "deallocate": 1,
            "delete": MACHINES,
        }
        accounts = set(self.store().names(artifact_names.EVICTIONS_PREFIX))
        evicted = {name: 2 if name == SICK else 1 for name in self.boots}
        assert accounts == {artifact_names.eviction(name, f"boot{boot}") for name, boot in evicted.items()}
        said = [facts["state"] for facts in self.told if facts["alert"] == f"quarantine:{SICK}"]
        assert sorted(set(said)) == ["begun", "resolved"]
        finished = f"job.finished:{self.job_id}"
        assert {facts["alert"] for facts in self.told} == {f"quarantine:{SICK}", finished}
        assert read_status(self.store(), self.job_id).status.state is JobState.FINISHED


@pytest.fixture(scope="module")
def every_step(tmp_path_factory) -> set[Step]:
    """Every step that a controller's life may have, from one that is not killed."""
    story = Story(tmp_path_factory.mktemp("whole"), set())
    story.play()
    story.check_end()
    said = [facts["state"] for facts in story.told]
    assert said == ["begun", "resolved", "happened"]
    return story.steps


@pytest.mark.slow
def test_a_controller_killed_at_every_step_is_continued_and_nothing_is_done_twice(every_step, tmp_path):
    killed: list[Step] = []
    for seed in range(MOST_STORIES):
        left = set(every_step) - set(killed)
        if not left:
            break
        story = Story(tmp_path / str(seed), set(every_step) if seed < ALL_STEPS_STORIES else left, seed)
        story.play()
        story.check_end()
        killed += story.killed
    print(f"{len(killed)} kills, at {len(set(killed))} of {len(every_step)} steps, in {seed + 1} stories")
    assert len(killed) >= 100
    assert set(killed) >= every_step
