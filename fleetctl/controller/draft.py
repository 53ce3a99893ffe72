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
    outage_over: float = field(init=False)
    blind_until: float = field(init=False)
    stopped_for: str = field(init=False)
    """Why the whole fleet drains; empty while it works."""
    stopped_by: str = field(init=False)
    is_broke: bool = False
    """Not even draining is affordable: tiles return to the queue unfinished."""
    usd_per_hour: float = 0.0
    """Of all compute that is billed now, or will be once it is created."""
    _machines: dict[str, Machine] = field(init=False)
    _changed: set[str] = field(default_factory=set, init=False)
    """Machines whose memory is newer than what `_machines` has of it."""

    def __post_init__(self) -> None:
        self.spend = self.memory.spend
        self.outage_since = self.memory.outage_since
        self.outage_over = self.memory.outage_over
        self.blind_until = self.memory.blind_until
        self.stopped_for = self.memory.stopped_for
        self.stopped_by = self.memory.stopped_by
        self.vms = dict(self.memory.vms)
        self.offers = dict(self.memory.offers)
        self._machines = {machine.name: machine for machine in machines(self.seen, self.memory, self.policy)}

    @property
    def now(self) -> float:
        return self.seen.now

    def machines(self) -> list[Machine]:
        """All of them, each with what the rules before this one decided of it."""
        for name in self._changed & self._machines.keys():
            self._machines[name] = replace(self._machines[name], memory=self.vms.get(name))
        self._changed.clear()
        return list(self._machines.values())

    def do(self, verb: Verb, target: str, reason: str) -> None:
        self.actions.append(Action(verb, target, reason))

    def want(self, name: str, intent: Intent, reason: str) -> None:
        """Mean something else by a machine from now on. Meaning the same again changes nothing."""
        before = self.vms.get(name)
        if before is None:
            self._remember(name, VmMemory(intent, reason, self.now))
        elif before.intent is not intent:
            after = replace(before, intent=intent, reason=reason, since=self.now, called_at=None)
            self._remember(name, after)

    def create(self, name: str, reason: str) -> None:
        """A machine that there is not yet."""
        self._remember(name, VmMemory(Intent.RUN, reason, self.now, started_at=self.now, called_at=self.now))
        self.do(Verb.CREATE, name, reason)

    def note(self, name: str, **changes: object) -> None:
        """Remember more of a machine that has an intent."""
        before = self.vms[name]
        if any(getattr(before, field_name) != value for field_name, value in changes.items()):
            self._remember(name, replace(before, **changes))  # type: ignore[arg-type]

    def forget(self, name: str) -> None:
        """It is gone."""
        del self.vms[name]
        self._changed.add(name)

    def intent(self, name: str) -> Intent | None:
        memory = self.vms.get(name)
        return memory.intent if memory else None

    def offer(self, offer: Offer) -> OfferMemory:
        return self.offers.get(offer, OfferMemory())

    def _remember(self, name: str, memory: VmMemory) -> None:
        self.vms[name] = memory
        self._changed.add(name)

    def decision(self) -> Decision:
        memory = Memory(
            vms=self.vms,
            offers=self.offers,
            spend=self.spend,
            outage_since=self.outage_since,
            outage_over=self.outage_over,
            blind_until=self.blind_until,
            stopped_for=self.stopped_for,
            stopped_by=self.stopped_by,
        )
        return Decision(tuple(self.actions), memory)
