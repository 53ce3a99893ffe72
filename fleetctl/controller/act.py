"""Carries actions out. Each is one call that is not waited for; what was refused comes back as such."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contract.errors import StorageError
from fleetctl.cloud.machines import Machines, NewVm, Refusal, Refused
from fleetctl.controller.actions import Action, Verb

PARALLEL_CALLS = 16
CALL_SECONDS = 10.0
"""The longest that one call may take: clients are made with this timeout."""

Step = Callable[[Action], None]


@dataclass(frozen=True, slots=True)
class Hands:
    """What actions are carried out with."""

    machines: Machines
    new_vm: Callable[[str], NewVm]
    """What a machine of that name is created from."""
    others: Mapping[Verb, Step]
    """Everything that is no call of the cloud: drains, accounts, alerts, jobs."""
    check_leading: Callable[[float], None]
    """Raises when another controller may lead before a call of so many seconds ends."""
    is_stopping: Callable[[], bool] = lambda: False
    """We were told to leave: what is not called yet is put off, for whoever comes after us."""

    def carry_out(self, actions: Iterable[Action]) -> list[tuple[Action, Refused]]:
        """Do them all, several at a time; returns those that were refused."""
        with ThreadPoolExecutor(PARALLEL_CALLS, thread_name_prefix="act") as pool:
            ends = pool.map(self._attempt, actions)
            return [end for end in ends if end is not None]

    def _attempt(self, action: Action) -> tuple[Action, Refused] | None:
        if self.is_stopping():
            return action, Refused(Refusal.TROUBLE, "", "put off: this controller was told to leave")
        self.check_leading(CALL_SECONDS)
        try:
            self._step(action)(action)
        except Refused as refused:
            return action, refused
        except StorageError as error:
            return action, Refused(Refusal.TROUBLE, "", str(error))
        return None

    def _step(self, action: Action) -> Step:
        calls: dict[Verb, Step] = {
            Verb.CREATE: self._create,
            Verb.START: self._start,
            Verb.DEALLOCATE: lambda a: self.machines.deallocate(a.target),
            Verb.DELETE: lambda a: self.machines.delete(a.target),
            Verb.DELETE_LEAK: lambda a: self.machines.delete_resource(a.target),
        }
        return calls.get(action.verb) or self.others[action.verb]

    def _create(self, action: Action) -> None:
        self._withdraw_drain(action)
        self.machines.create(self.new_vm(action.target))

    def _start(self, action: Action) -> None:
        self._withdraw_drain(action)
        self.machines.start(action.target)

    def _withdraw_drain(self, action: Action) -> None:
        """A drain stands over a restart: whoever starts a machine for more work withdraws it first."""
        self.others[Verb.UNDRAIN](action)
