"""Ticks for commands that act at once: by themselves where nobody leads, else by waiting for who does."""

from __future__ import annotations

import threading
from collections.abc import Callable

from contract.blob_store import BlobStore
from fleetctl.cloud.machines import Machines
from fleetctl.controller.assemble import World, assemble
from fleetctl.controller.leader import Leader
from fleetctl.controller.tick import Ticked
from fleetctl.exit_codes import ExitCode

POLL_SECONDS = 10.0


def somebody_leads(store: BlobStore) -> str:
    """The name of the controller that leads now; empty when none does."""
    leader = Leader(store)
    if leader.take():
        leader.give_up()
        return ""
    return leader.who_leads() or "another controller"


def tick_once(world: World) -> tuple[ExitCode, Ticked | None]:
    """One tick as the leader; the tick is None when another controller took over meanwhile."""
    seen: list[Ticked] = []
    code = assemble(world, listeners=lambda *_: (_OnTick(seen.append),)).run(once=True)
    return code, seen[-1] if seen else None


def tick_until_empty(world: World, on_left: Callable[[int], None]) -> ExitCode:
    """Lead until no machine of the fleet is listed; `on_left` is told after each tick how many are."""
    stop = threading.Event()

    def on_tick(ticked: Ticked) -> None:
        if ticked.seen.vms is not None:
            on_left(len(ticked.seen.vms))
            if not ticked.seen.vms:
                stop.set()

    return assemble(world, stop=stop, listeners=lambda *_: (_OnTick(on_tick),)).run()


def wait_until_empty(machines: Machines, on_left: Callable[[int], None]) -> None:
    """Watch while another controller lets the machines go. Refused when the cloud does not answer."""
    while left := sum(1 for _ in machines.list_states()):
        on_left(left)
        threading.Event().wait(POLL_SECONDS)
    on_left(0)


class _OnTick:
    """A listener that cares for ticks only."""

    def __init__(self, told: Callable[[Ticked], None]) -> None:
        self._told = told

    def on_tick(self, ticked: Ticked) -> None:
        self._told(ticked)

    def on_failed_tick(self, reason: str) -> None:
        """The daemon says it."""
