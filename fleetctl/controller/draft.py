"""A decision in the making: the rules read and change it one after the other, and nobody else sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.machine import Machine, machines
from fleetctl.controller.memory import Intent, Memory, OfferMemory, Spend, VmMemory
from fleetctl.controller.policy import Offer, Policy
from fleetctl.controller.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and what to remember before it is done."""

    actions: tuple[Action, ...]
    memory: Memory


@dataclass
class Draft:
    """Begins as what was; ends as what is decided."""

    seen: Snapshot
    memory: Memory
    policy: Policy
    actions: list[Action] = field(default_factory=list)
    vms: dict[str, VmMemory] = field(init=False)
    offers: dict[Offer, OfferMemory] = field(init=False)
    spend: Spend = field(init=False)
    outage_since: float | None = field(init=False)
    stopped_for: str = field(init=False)
    """Why the whole fleet drains; empty while it works."""
    stopped_by: str = field(init=False)
    _machines: list[Machine] = field(init=False)

    def __post_init__(self) -> None:
        self.spend = self.memory.spend
        self.outage_since = self.memory.outage_since
        self.stopped_for = self.memory.stopped_for
        self.stopped_by = self.memory.stopped_by
        self.vms = dict(self.memory.vms)
        self.offers = dict(self.memory.offers)
        self._machines = list(machines(self.seen, self.memory, self.policy))

    @property
    def now(self) -> float:
        return self.seen.now

    def machines(self) -> list[Machine]:
        """All of them, each with what the rules before this one decided of it."""
        return [replace(machine, memory=self.vms.get(machine.name)) for machine in self._machines]

    def do(self, verb: Verb, target: str, reason: str) -> None:
        self.actions.append(Action(verb, target, reason))

    def want(self, name: str, intent: Intent, reason: str) -> None:
        """Mean something else by a machine from now on. Meaning the same again changes nothing."""
        before = self.vms.get(name)
        if before is None:
            self.vms[name] = VmMemory(intent, reason, self.now)
        elif before.intent is not intent:
            self.vms[name] = replace(before, intent=intent, reason=reason, since=self.now, called_at=None)

    def note(self, name: str, **changes: object) -> None:
        """Remember more of a machine that has an intent."""
        self.vms[name] = replace(self.vms[name], **changes)  # type: ignore[arg-type]

    def intent(self, name: str) -> Intent | None:
        memory = self.vms.get(name)
        return memory.intent if memory else None

    def offer(self, offer: Offer) -> OfferMemory:
        return self.offers.get(offer, OfferMemory())

    def decision(self) -> Decision:
        memory = Memory(
            vms=self.vms,
            offers=self.offers,
            spend=self.spend,
            outage_since=self.outage_since,
            stopped_for=self.stopped_for,
            stopped_by=self.stopped_by,
        )
        return Decision(tuple(self.actions), memory)
