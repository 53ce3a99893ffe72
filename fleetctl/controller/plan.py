"""What the next tick would do, by the same look and the same decision as `watch`; nothing is written or called."""

from __future__ import annotations

from dataclasses import dataclass

from fleetctl.controller.actions import Action
from fleetctl.controller.assemble import World
from fleetctl.controller.decide import decide
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.observe import Eyes
from fleetctl.controller.snapshot import Snapshot
from fleetctl.history.follow import LedgerHistory


@dataclass(frozen=True, slots=True)
class Planned:
    """A tick that was not carried out."""

    seen: Snapshot
    actions: tuple[Action, ...]
    stopped_for: str
    """Why the whole fleet drains; empty while it works."""


def plan_tick(world: World) -> Planned:
    """Look and decide. StorageError when the storage is away; what else cannot be seen is in `seen.missing`."""
    policy, history = world.policy(), LedgerHistory(world.store)
    history.load()
    history.catch_up()
    eyes = Eyes(world.machines, world.store, world.queues, history, world.prices, policy, lambda: ())
    seen = eyes.look()
    decision = decide(seen, MemoryStore(world.store).load(), policy)
    return Planned(seen, decision.actions, decision.memory.stopped_for)
