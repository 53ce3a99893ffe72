"""Alerts: each is said once when it begins and once when it is over, also across a restart of the controller.

What is said is kept in a blob before it counts as said. A receiver that does not answer is tried again with the
next tick; telling happens in a thread of its own, because a webhook may take its time and a tick may not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog

from contract.artifact_names import ALERTS
from contract.blob_store import BlobStore
from contract.errors import BadInput, NotFound, StorageError
from contract.json_text import parse_object, to_bytes

log = structlog.get_logger()

VERSION = 1
MOST_ALERTS = 1000
"""Open ones that are remembered; the oldest are dropped."""
NOT_TOLD = "alert not told"
TOLD = "alert"
STANDING = frozenset({"silent-fleet"})
"""Said by the rules at every tick while they hold: over as soon as a tick does not say them."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that a person should know."""

    key: str
    reason: str
    since: float
    """Epoch seconds."""
    is_resolved: bool = False
    is_told: bool = False
    """Of what it is now."""
    is_event: bool = False
    """It happened, and has no end: forgotten once it is told."""

    def facts(self, fleet: str) -> dict[str, Any]:
        """For whoever is told. `text` alone reads well: many receivers show nothing else."""
        state = "happened" if self.is_event else "resolved" if self.is_resolved else "begun"
        return {
            "fleet": fleet,
            "alert": self.key,
            "state": state,
            "reason": self.reason,
            "since": self.since,
            "text": f"{fleet}: {self.key} {state}: {self.reason}",
        }


Tell = Callable[[Mapping[str, Any]], None]
"""Tells one receiver; raises OSError, ValueError or TilefleetError when it did not take it."""


class Alerts:
    """The open alerts of one fleet. Any thread may raise or resolve one."""

    def __init__(self, store: BlobStore, fleet: str, tells: tuple[Tell, ...]) -> None:
        self._store = store
        self._fleet = fleet
        self._tells = tells
        self._alerts: dict[str, Alert] = {}
        self._is_dirty = False
        self._lock = threading.Lock()
        self._keeping = threading.Lock()
        self._taken: dict[Alert, set[int]] = {}
        """Which receivers took an alert that others did not take yet. The teller's own."""
        self._teller: threading.Thread | None = None
        self._stands: set[str] = set()

    def load(self) -> None:
        """Go on from what was said before. A record that cannot be read is begun anew."""
        try:
            record = parse_object(self._store.read(ALERTS).data, "the alerts' record")
            alerts = [Alert(**entry) for entry in record["open"]] if record.get("v") == VERSION else []
        except (NotFound, BadInput, KeyError, TypeError):
            alerts = []
        with self._lock:
            self._alerts = {alert.key: alert for alert in alerts} | self._alerts

    def alert(self, key: str, reason: str) -> None:
        """Something begins, or goes on, which is not said again. StorageError when it could not be kept."""
        with self._lock:
            self._stands.add(key)
            known = self._alerts.get(key)
            if known is None or known.is_resolved:
                self._alerts[key] = Alert(key, reason, self._store.now().timestamp())
                self._is_dirty = True
        self._keep()

    def resolve(self, key: str, reason: str) -> None:
        """It is over. Nothing is said of what never was. StorageError when it could not be kept."""
        with self._lock:
            known = self._alerts.get(key)
            if known is not None and not known.is_resolved:
                self._alerts[key] = replace(known, reason=reason, is_resolved=True, is_told=False)
                self._is_dirty = True
        self._keep()

    def resolve_others(self, front: str, names: Collection[str], reason: str) -> None:
        """What was said of `front` and a name that is none of these any more is over."""
        with self._lock:
            said = [key for key in self._alerts if key.startswith(front)]
        for key in said:
            if key.removeprefix(front) not in names:
                self.resolve(key, reason)

    def once(self, key: str, reason: str) -> None:
        """Something that happened, and has no end to wait for. StorageError when it could not be kept; it is told
        all the same."""
        with self._lock:
            if key not in self._alerts:
                self._alerts[key] = Alert(key, reason, self._store.now().timestamp(), is_event=True)
                self._is_dirty = True
        self._keep()

    @property
    def open_count(self) -> int:
        with self._lock:
            return sum(not (alert.is_resolved or alert.is_event) for alert in self._alerts.values())

    def after_tick(self, *, is_complete: bool = True) -> None:
        """Resolve what no longer stands, unless the tick could not see whether it does; tell what is untold. Never
        waits for a receiver."""
        for key in STANDING - self._stands if is_complete else ():
            with suppress(StorageError):
                self.resolve(key, "it is over")
        self._stands.clear()
        self._try_to_keep()
        with self._lock:
            has_untold = any(not alert.is_told for alert in self._alerts.values())
            is_telling = self._teller is not None and self._teller.is_alive()
        if has_untold and not is_telling:
            self._teller = threading.Thread(target=self._tell_all, name="alerts", daemon=True)
            self._teller.start()

    def finish(self, limit_seconds: float) -> None:
        """Let what is being told be told, for so long."""
        if self._teller is not None:
            self._teller.join(limit_seconds)
        self._try_to_keep()

    def _tell_all(self) -> None:
        with self._lock:
            untold = [alert for alert in self._alerts.values() if not alert.is_told]
        self._taken = {alert: taken for alert, taken in self._taken.items() if alert in untold}
        for alert in untold:
            if self._tell(alert):
                self._note_told(alert)

    def _tell(self, alert: Alert) -> bool:
        """Each receiver that did not take it yet; whether all have."""
        if alert not in self._taken:
            log.warning(TOLD, **alert.facts(self._fleet))
        taken = self._taken.setdefault(alert, set())
        for number, tell in enumerate(self._tells):
            if number in taken:
                continue
            try:
                tell(alert.facts(self._fleet))
                taken.add(number)
            except Exception as error:  # noqa: BLE001 - whatever a receiver does: it is tried again
                log.warning(NOT_TOLD, alert=alert.key, reason=str(error)[:300])
        return len(taken) == len(self._tells)

    def _note_told(self, alert: Alert) -> None:
        with self._lock:
            if self._alerts.get(alert.key) is not alert:
                return  # it changed while it was told: the new state is told next
            if alert.is_resolved or alert.is_event:
                del self._alerts[alert.key]
            else:
                self._alerts[alert.key] = replace(alert, is_told=True)
            self._is_dirty = True

    def _try_to_keep(self) -> None:
        try:
            self._keep()
        except StorageError as error:
            log.warning("alerts not kept", reason=str(error))

    def _keep(self) -> None:
        """Write what changed; what could not be written is written the next time."""
        with self._keeping:
            with self._lock:
                if not self._is_dirty:
                    return
                self._is_dirty = False
                newest = sorted(self._alerts.values(), key=lambda alert: alert.since)[-MOST_ALERTS:]
            record = {"v": VERSION, "open": [asdict(alert) for alert in newest]}
            try:
                self._store.put(ALERTS, to_bytes(record))
            except StorageError:
                self._is_dirty = True
                raise
