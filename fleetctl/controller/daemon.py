"""`watch` as a process that stays: leads or waits, ticks, says what changed, and leaves at once when told.

Leaving touches no machine: the fleet goes on, and the next controller continues from the record. Storage or
cloud away: said once, gone on, resolved once. A lost lease, or a record that another controller wrote, ends it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from contract.errors import Changed, NotAllowed, StorageError
from fleetctl.controller.leader import Leader, NotLeading
from fleetctl.controller.sd_notify import ServiceNotes
from fleetctl.controller.tick import Controller, Ticked
from fleetctl.exit_codes import ExitCode

log = structlog.get_logger()

LEAD_POLL_SECONDS = 5.0
WAITING = "another controller leads, waiting"
LEADING = "leading"
TROUBLE = "tick failed"
RECOVERED = "ticking again"
ENDED = "controller ended"


class Listener(Protocol):
    """Is told of every tick."""

    def on_tick(self, ticked: Ticked) -> None: ...

    def on_failed_tick(self, reason: str) -> None:
        """Nothing was seen or done this time."""
        ...


@dataclass
class Daemon:
    """One controller's life. `stop` may be set by a signal at any moment."""

    leader: Leader
    controller: Controller
    tick_seconds: float
    listeners: Sequence[Listener] = ()
    notes: ServiceNotes = field(default_factory=lambda: ServiceNotes({}))
    stop: threading.Event = field(default_factory=threading.Event)
    on_leading: Callable[[], None] = lambda: None
    """Called before the first tick, and again if it raised a StorageError."""
    _trouble: str = ""
    _has_begun: bool = False
    _has_memory: bool = False

    _has_ticked: bool = False

    def run(self, *, once: bool = False) -> ExitCode:
        """Until told to stop; with `once` until one tick is done. NotAllowed passes: a role is missing."""
        try:
            if not self._lead():
                return ExitCode.DONE
            self._tick_until_stop(once=once)
            self._leave()
        except (NotLeading, Changed) as error:
            log.error(ENDED, reason=str(error))  # noqa: TRY400 - a sentence, no traceback
            self.notes.stopping(str(error))
            return ExitCode.NOT_LEADING
        finally:
            self.leader.give_up()
        return ExitCode.DONE

    def _leave(self) -> None:
        """What the last calls taught is kept, if that can be done at once."""
        self.notes.stopping("told to stop")
        if self._has_memory:
            with suppress(StorageError):
                self.controller.end()

    def _lead(self) -> bool:
        """Wait until we lead; False when told to stop before."""
        self.notes.ready("waiting to lead")
        said, has_answered = None, False
        while not self.stop.is_set():
            try:
                if self.leader.take():
                    log.info(LEADING)
                    return True
                who = self.leader.who_leads()
                has_answered = True
                if who != said:
                    log.info(WAITING, leader=who)
                    said = who
                self.notes.progress(f"{who or 'another controller'} leads, waiting")
            except StorageError as error:
                if isinstance(error, NotAllowed) and not has_answered:
                    raise  # as in `_tick`
                self._begin_trouble(str(error))
            self.stop.wait(LEAD_POLL_SECONDS)
        return False

    def _tick_until_stop(self, *, once: bool) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            is_done = self._tick()
            if once and is_done:
                return
            self.stop.wait(max(0.0, self.tick_seconds - (time.monotonic() - began)))

    def _tick(self) -> bool:
        """One tick; False when the storage was away. What our last save came to may then be unknown, so the
        record is read again before the next one."""
        try:
            self.leader.check(0.0)
            if not self._has_begun:
                self.on_leading()
                self._has_begun = True
            if not self._has_memory:
                self.controller.begin()
                self._has_memory = True
            ticked = self.controller.tick()
        except Changed:
            raise
        except StorageError as error:
            if isinstance(error, NotAllowed) and not self._has_ticked:
                raise  # a role was never given; later it may be a token that comes again
            self._has_memory = False
            self._begin_trouble(str(error))
            for listener in self.listeners:
                listener.on_failed_tick(str(error))
            return False
        self._has_ticked = True
        self._end_trouble()
        for listener in self.listeners:
            listener.on_tick(ticked)
        self.notes.progress(f"{len(ticked.tried)} actions, {ticked.seconds:.1f} s")
        return True

    def _begin_trouble(self, reason: str) -> None:
        if not self._trouble:
            log.warning(TROUBLE, reason=reason)
        self._trouble = reason

    def _end_trouble(self) -> None:
        if self._trouble:
            log.info(RECOVERED, after=self._trouble)
        self._trouble = ""
