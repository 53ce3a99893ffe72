"""Measures what a tile takes: one spot machine per size and region, one tile with download and again without.

The machines are a fleet of their own by their tag, which no controller watches: a listing of that tag is what is
left of a calibration that was killed, and the next one removes it first. Nothing is left behind by any other end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from contract.errors import StorageError, TilefleetError
from fleetctl.cloud.machines import Machines, NewVm, Refusal, Refused
from fleetctl.controller.policy import Offer, vm_name
from fleetctl.controller.snapshot import Power, VmSeen

POOL = "pair"
LOOK_SECONDS = 15.0
LONGEST_SECONDS = 2 * 3600.0
"""Of one machine, boot included; the slowest size of the first figures takes an hour and a half."""
REMOVE_SECONDS = 300.0
"""Until a machine that is deleted is gone; counted as paid."""
LISTING_LAG_SECONDS = 120.0
SECONDS_PER_HOUR = 3600.0
LOST_POWERS = frozenset({Power.DEALLOCATED, Power.DEALLOCATING, Power.DELETING, Power.STOPPED})


class StillThere(TilefleetError):
    """Machines could not be removed: they cost money until somebody does."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One size in one region."""

    fleet: str
    number: int
    offer: Offer
    usd_per_hour: float

    @property
    def vm(self) -> str:
        return vm_name(self.fleet, POOL, self.number)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one machine showed."""

    boot_seconds: float
    with_download_seconds: float
    cube_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one pair ended."""

    pair: Pair
    measured: Measured | None
    reason: str
    """Why there is nothing measured."""
    usd: float


class Trials(Protocol):
    """The tile's own small job per pair, on a queue that only the pair's machine reads."""

    def ask(self, pair: Pair) -> None:
        """Ask the tile, with its download."""
        ...

    def ask_again(self, pair: Pair) -> None:
        """Ask it once more; its cube is kept from the first time."""
        ...

    def has_reported(self, pair: Pair) -> bool:
        """Did a worker of the machine send a heartbeat?"""
        ...

    def seconds(self, pair: Pair, generation: int) -> float | None:
        """From receipt to commit, of the first or the second time; None: not committed yet."""
        ...

    def clear(self, pair: Pair) -> None:
        """Delete what the trial stored."""
        ...


class _Step(Enum):
    BOOTING = "boot"
    FIRST = "the tile with its download"
    AGAIN = "the tile from its cube"
    OVER = "over"


@dataclass
class _Run:
    """One pair under way."""

    pair: Pair
    began: float
    step: _Step = _Step.BOOTING
    boot_seconds: float = 0.0
    first_seconds: float = 0.0
    ended: float | None = None
    is_paid: bool = False
    """The cloud took the request for its machine."""
    measured: Measured | None = None
    reason: str = ""

    def usd(self, now: float) -> float:
        """Paid so far, with what removing it still takes."""
        if not self.is_paid:
            return 0.0
        until = now if self.ended is None else self.ended
        return (until - self.began + REMOVE_SECONDS) * self.pair.usd_per_hour / SECONDS_PER_HOUR

    def end(self, now: float, reason: str) -> None:
        self.step, self.ended, self.reason = _Step.OVER, now, reason


@dataclass
class Calibration:
    """One `fleetctl calibrate`: `run` makes the machines and is sure to remove them."""

    machines: Machines
    trials: Trials
    new_vm: Callable[[Pair], NewVm]
    most_usd: float
    clock: Callable[[], float]
    wait: Callable[[float], object]
    tell: Callable[[str], None]
    look_seconds: float = LOOK_SECONDS
    _runs: list[_Run] = field(default_factory=list)

    def remove_leftovers(self) -> list[str]:
        """What an earlier calibration left when it was killed. Returns the names; StillThere when some stay."""
        names = [vm.name for vm in self.machines.list_states()]
        if names:
            self.tell(f"left by an earlier calibration, removed first: {', '.join(names)}")
            self._remove(names)
        return names

    def run(self, pairs: Iterable[Pair]) -> list[Outcome]:
        """All pairs beside each other. Whatever ends it, an error and Ctrl-C included, no machine is left."""
        try:
            for pair in pairs:
                self._begin(pair)
            while self._look():
                self.wait(self.look_seconds)
        finally:
            self._clean_up()
        return [Outcome(run.pair, run.measured, run.reason, run.usd(self.clock())) for run in self._runs]

    def _begin(self, pair: Pair) -> None:
        run = _Run(pair, self.clock(), is_paid=True)
        self._runs.append(run)
        if self._usd() >= self.most_usd:
            run.is_paid = False
            run.end(self.clock(), "the money did not allow for it")
            return
        self.trials.ask(pair)
        run.began = self.clock()
        try:
            self.machines.create(self.new_vm(pair))
        except Refused as refused:
            run.is_paid = refused.kind is Refusal.TROUBLE  # nobody knows: it may be there
            run.end(self.clock(), str(refused))
        self.tell(f"{pair.offer}: {run.reason or f'asked for {pair.vm}'}")

    def _look(self) -> bool:
        """One step for every pair; a listing or a look that fails is repeated the next time. Is any under way?"""
        now = self.clock()
        if self._usd() >= self.most_usd:
            self._end_all(now, f"{self.most_usd:.2f} USD are spent, removing the machines included")
            return False
        try:
            seen = {vm.name: vm for vm in self.machines.list_states()}
            for run in self._runs:
                if run.step is not _Step.OVER:
                    self._advance(run, seen.get(run.pair.vm), now)
        except (Refused, StorageError) as error:
            self.tell(f"looking again in {self.look_seconds:.0f} s: {error}")
        return any(run.step is not _Step.OVER for run in self._runs)

    def _advance(self, run: _Run, vm: VmSeen | None, now: float) -> None:
        step = run.step
        if why := _trouble(run, vm, now):
            run.end(now, why)
        elif step is _Step.BOOTING and self.trials.has_reported(run.pair):
            run.step, run.boot_seconds = _Step.FIRST, now - run.began
        elif step is _Step.FIRST and (seconds := self.trials.seconds(run.pair, 1)) is not None:
            run.step, run.first_seconds = _Step.AGAIN, seconds
            self.trials.ask_again(run.pair)
        elif step is _Step.AGAIN and (seconds := self.trials.seconds(run.pair, 2)) is not None:
            run.measured = Measured(run.boot_seconds, run.first_seconds, seconds)
            run.end(now, "")
        if run.step is not step:
            self.tell(f"{run.pair.offer}: {run.reason or f'{step.value} done'}")
        if run.step is _Step.OVER:
            self._delete(run.pair.vm)

    def _usd(self) -> float:
        now = self.clock()
        return sum(run.usd(now) for run in self._runs)

    def _end_all(self, now: float, reason: str) -> None:
        for run in self._runs:
            if run.step is not _Step.OVER:
                run.end(now, reason)
                self.tell(f"{run.pair.offer}: {reason}")

    def _clean_up(self) -> None:
        self._remove([run.pair.vm for run in self._runs])
        for run in self._runs:
            try:
                self.trials.clear(run.pair)
            except (
                StorageError
            ) as error:  # the next calibration clears it first; what was measured counts now
                self.tell(f"{run.pair.offer}: its trial's blobs are left: {error}")

    def _remove(self, names: Iterable[str]) -> None:
        """Delete until the listing has none of them, however often the cloud says no. StillThere after a while."""
        began, left, is_told = self.clock(), set(names), False
        while left and self.clock() - began < REMOVE_SECONDS + LISTING_LAG_SECONDS:
            for name in sorted(left):
                self._delete(name)
            left = self._still_there(left)
            if left:
                if not is_told:
                    self.tell("waiting until the machines are gone, some minutes at most")
                    is_told = True
                self.wait(self.look_seconds)
        if left:
            named = ", ".join(sorted(left))
            raise StillThere(f"{named} could not be removed and cost money: type `fleetctl calibrate` again")

    def _still_there(self, names: set[str]) -> set[str]:
        try:
            listed = {vm.name for vm in self.machines.list_states()}
            for leak in self.machines.leaks():
                self.machines.delete_resource(leak)
        except Refused:
            return names
        return names & listed

    def _delete(self, name: str) -> None:
        try:
            self.machines.delete(name)
        except Refused as refused:
            if refused.kind is not Refusal.CONFLICT:  # on its way elsewhere: it is looked at again
                self.tell(str(refused))


def _trouble(run: _Run, vm: VmSeen | None, now: float) -> str:
    """Why there is nothing more to hope for; empty while there is."""
    age = now - run.began
    if age > LONGEST_SECONDS:
        return f"{run.step.value} took too long: {age / 60:.0f} minutes in all"
    if vm is None:
        return "the machine is not listed" if age > LISTING_LAG_SECONDS else ""
    if vm.provisioning == "failed":
        return f"the machine was not made: {vm.error_code or vm.error_text}"
    return "the machine was evicted or stopped: calibrate it again" if vm.power in LOST_POWERS else ""
