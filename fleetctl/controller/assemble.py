"""The controller put together from its parts, over any storage and any cloud: what `watch` does, tests do too."""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from contract.blob_store import BlobStore
from contract.errors import StorageError
from contract.fleet_queues import FleetQueues
from contract.ledger import LedgerWriter
from fleetctl.cloud.machines import Machines, NewVm
from fleetctl.controller.act import Hands
from fleetctl.controller.alerts import Alerts, Tell
from fleetctl.controller.announce import Announcer
from fleetctl.controller.daemon import Daemon, Listener
from fleetctl.controller.finish import INCOMPLETE, Finisher
from fleetctl.controller.hands import Others, steps
from fleetctl.controller.intake import IntakeKeeper
from fleetctl.controller.leader import Leader
from fleetctl.controller.leak_watch import LeakWatch
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.observe import Eyes, Prices
from fleetctl.controller.policy import Policy
from fleetctl.controller.sd_notify import ServiceNotes
from fleetctl.controller.tick import Controller, Ticked
from fleetctl.exit_codes import ExitCode
from fleetctl.history.follow import LedgerHistory

log = structlog.get_logger()

GOODBYE_SECONDS = 3.0
VERIFY_SECONDS = 1800.0
"""That a single tick waits for the verdict on a job that seems complete."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a controller looks at and acts on."""

    store: BlobStore
    queues: FleetQueues
    machines: Machines
    prices: Prices
    new_vm: Callable[[str], NewVm]
    policy: Callable[[], Policy]


class Keeping:
    """Listens to ticks: keeps intake as the memory means it, and has alerts told."""

    def __init__(self, intake: IntakeKeeper, alerts: Alerts) -> None:
        self._intake = intake
        self._alerts = alerts

    def on_tick(self, ticked: Ticked) -> None:
        try:
            self._intake.keep(ticked.seen, ticked.memory)
        except StorageError as error:
            log.warning("intake not kept", reason=str(error))
        if ticked.seen.jobs is not None:
            going_on = {job.id for job in ticked.seen.jobs}
            with suppress(StorageError):  # kept by `after_tick`, or by the next one
                self._alerts.resolve_others(INCOMPLETE, going_on, "the job is over")
        self._alerts.after_tick(is_complete=ticked.seen.is_complete)

    def on_failed_tick(self, reason: str) -> None:
        """Nothing is known, so nothing changes."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A controller that was not started yet."""

    daemon: Daemon
    history: LedgerHistory
    alerts: Alerts
    finisher: Finisher
    leaks: LeakWatch

    def run(self, *, once: bool = False) -> ExitCode:
        """Until it is told to stop; its threads begin when it leads, and end with it."""
        self.daemon.on_leading = self._begin_once if once else self._begin
        try:
            return self.daemon.run(once=once)
        finally:
            self.leaks.stop()
            if once:
                self.finisher.wait(VERIFY_SECONDS)
            self.history.stop(GOODBYE_SECONDS)
            self.alerts.finish(GOODBYE_SECONDS)

    def _begin(self) -> None:
        """Go on from what the last leader left: it may have led until a moment ago."""
        self.history.load()
        self.alerts.load()
        self.history.start()
        self.leaks.start()

    def _begin_once(self) -> None:
        self.history.load()
        self.alerts.load()
        self.history.catch_up()
        self.history.keep()


def assemble(
    world: World,
    *,
    tells: tuple[Tell, ...] = (),
    notes: ServiceNotes | None = None,
    stop: threading.Event | None = None,
    listeners: Callable[[LedgerHistory, Alerts], Sequence[Listener]] = lambda *_: (),
) -> Assembled:
    """Put it together. `listeners`: made of what they read beside the ticks."""
    store, policy = world.store, world.policy()
    stop = stop or threading.Event()
    leader = Leader(store, own_name())
    history = LedgerHistory(store)
    alerts = Alerts(store, policy.fleet, tells)
    intake = IntakeKeeper(store)
    finisher = Finisher(store, happened=alerts.once, alert=alerts.alert, resolve=alerts.resolve)
    leaks = LeakWatch(world.machines.leaks)
    others = Others(store, intake, finisher.finish, alerts.alert, alerts.resolve)
    controller = Controller(
        eyes=Eyes(world.machines, store, world.queues, history, world.prices, policy, leaks),
        hands=Hands(world.machines, world.new_vm, steps(others), leader.check, stop.is_set),
        store=MemoryStore(store),
        policy=world.policy,
    )
    ledger = LedgerWriter(
        store, f"controller-{time.time_ns() // 1_000_000:x}", bound={"worker": "controller"}
    )
    daemon = Daemon(
        leader,
        controller,
        policy.patience.tick,
        (Announcer(ledger), Keeping(intake, alerts), *listeners(history, alerts)),
        notes or ServiceNotes({}),
        stop,
    )
    return Assembled(daemon, history, alerts, finisher, leaks)


def own_name() -> str:
    """What another controller says of us while it waits."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"
