"""Says what a tick changed: one log line and one ledger line per decision when it is taken, not while it stands."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from contract.errors import StorageError
from contract.ledger import LedgerWriter
from contract.ledger_events import FLEET_DECISION
from fleetctl.controller.changes import ChangeMonitor, decisions
from fleetctl.controller.tick import Ticked

log = structlog.get_logger()

DECIDED = "decided"
REFUSED = "refused"
GRANTED = "no longer refused"
MISSING = "not seen"
SEEN = "seen again"


class Announcer:
    """Listens to ticks. The ledger is the controller's own stream; while the storage is away its lines wait."""

    def __init__(self, ledger: LedgerWriter) -> None:
        self._ledger = ledger
        self._decisions = ChangeMonitor()
        self._refusals = ChangeMonitor()
        self._missing = ChangeMonitor()

    def on_tick(self, ticked: Ticked) -> None:
        taken = self._decisions.look(decisions(ticked.done)).begun
        for action in ticked.done:
            what = f"{action.verb.value} {action.target}"
            if what in taken:
                log.info(DECIDED, verb=action.verb.value, target=action.target, reason=action.reason)
                self._ledger.write(
                    FLEET_DECISION, verb=action.verb.value, target=action.target, reason=action.reason[:500]
                )
        self._say(
            self._refusals,
            ((f"{a.verb.value} {a.target}", why) for a, why in ticked.refused),
            REFUSED,
            GRANTED,
        )
        self._say(self._missing, (_split(part) for part in ticked.seen.missing), MISSING, SEEN)
        self._flush()

    def on_failed_tick(self, reason: str) -> None:
        """The daemon says it, once."""

    def _say(self, monitor: ChangeMonitor, now: Iterable[tuple[str, str]], begun: str, ended: str) -> None:
        news = monitor.look(now)
        for what, why in news.begun.items():
            log.warning(begun, what=what, reason=why)
        for what in news.ended:
            log.info(ended, what=what)

    def _flush(self) -> None:
        try:
            self._ledger.flush()
        except StorageError as error:
            log.debug("ledger not flushed", reason=str(error))


def _split(part: str) -> tuple[str, str]:
    """`what: why`, as a look names what it could not see."""
    what, _, why = part.partition(": ")
    return what, why
