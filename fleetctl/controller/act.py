"""Carries actions out. Each is one call that is not waited for; what was refused comes back as such."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contract.errors import StorageError
from fleetctl.cloud.machines import Machines, NewVm, Refusal, Refused
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.learn import CLOSES, STARTS
from fleetctl.controller.policy import Offer

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

    def carry_out(
        self, actions: Iterable[Action], offer_of: Callable[[Action], Offer | None] = lambda _: None
    ) -> list[tuple[Action, Refused]]:
        """Do them all, several at a time; returns those that were refused.

        Of the starts in one offer the first goes ahead alone, and once one finds no room, or something that a person
        must mend, the others are put off: a hundred machines must not be told one after the other what the first was.
        """
        closed: set[Offer] = set()

        def attempt(action: Action) -> tuple[Action, Refused] | None:
            offer = offer_of(action) if action.verb in STARTS else None
            if offer in closed:
                return action, Refused(Refusal.TROUBLE, "", f"put off: another start of {offer} was refused")
            end = self._attempt(action)
            if end is not None and offer is not None and end[1].kind in CLOSES:
                closed.add(offer)
            return end

        first, then = _scouts_first(actions, offer_of)
        with ThreadPoolExecutor(PARALLEL_CALLS, thread_name_prefix="act") as pool:
            ends = [*pool.map(attempt, first), *pool.map(attempt, then)]
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


def _scouts_first(
    actions: Iterable[Action], offer_of: Callable[[Action], Offer | None]
) -> tuple[list[Action], list[Action]]:
    """Everything that is no start, with one start of each offer; and the other starts."""
    first: list[Action] = []
    then: list[Action] = []
    tried: set[Offer] = set()
    for action in actions:
        offer = offer_of(action) if action.verb in STARTS else None
        if offer is None or offer not in tried:
            first.append(action)
        else:
            then.append(action)
        if offer is not None:
            tried.add(offer)
    return first, then
