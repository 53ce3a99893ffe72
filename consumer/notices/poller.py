"""One thread per machine that asks the cloud whether it goes away. What it hears is a reason to leave; its own
death or silence never is: it is logged, and the poller is started again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from consumer.departure import Departure, soonest
from consumer.notices.notice import NoAnswer, Notice, NoticeSource
from contract import log_lines

log = structlog.get_logger()

LONGEST_PAUSE_SECONDS = 5.0
"""Between two questions to a service that does not answer; a notice lives for thirty."""
RESTART_SECONDS = 5.0
FINISH_SECONDS = 3.0
"""For the account of an eviction that is still on its way when everything else has left."""


@dataclass(eq=False)
class _Round:
    """One life of the thread."""

    source: NoticeSource
    thread: threading.Thread | None = None
    heard_at: float = field(default_factory=time.monotonic)
    """When its last poll ended, well or not."""
    is_over: threading.Event = field(default_factory=threading.Event)

    def hangs(self, now: float) -> bool:
        limit = self.source.longest_poll_seconds + LONGEST_PAUSE_SECONDS + RESTART_SECONDS
        return now - self.heard_at > limit

    @property
    def is_alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class NoticePoller:
    """Polls a source from `start` on; `look` tells what it heard."""

    def __init__(
        self, make_source: Callable[[], NoticeSource], on_departure: Callable[[Notice], None]
    ) -> None:
        """`on_departure` is called once, in a thread of its own, with the first notice that means leaving."""
        self._make_source = make_source
        self._on_departure = on_departure
        self._lock = threading.Lock()
        self._departures: tuple[Departure, ...] = ()
        self._logged: set[tuple[str, str]] = set()
        self._is_silent = False
        self._round: _Round | None = None
        self._started_at = float("-inf")
        self._account: threading.Thread | None = None

    def start(self) -> None:
        """Begin to poll, in a new thread."""
        self._started_at = time.monotonic()
        self._round = current = _Round(self._make_source())
        current.thread = threading.Thread(target=self._poll, args=(current,), name="notices", daemon=True)
        current.thread.start()

    def look(self) -> Departure | None:
        """The departure to obey, if any was announced. Starts a poller that died or hangs again. Any thread may."""
        with self._lock:  # several threads look
            self._keep_polling(time.monotonic())
        return soonest(self._departures)

    def finish(self) -> None:
        """Stop polling, and wait a little for an account of the eviction that is still being written."""
        if self._round is not None:
            self._round.is_over.set()
        self._round = None
        if self._account is not None:
            self._account.join(FINISH_SECONDS)

    def _keep_polling(self, now: float) -> None:
        current = self._round
        if current is None or now - self._started_at < RESTART_SECONDS:
            return
        if not current.is_alive:
            self._start_again(current, "it died")
        elif current.hangs(now):
            self._start_again(current, f"no poll has ended for {now - current.heard_at:.0f} s")

    def _start_again(self, current: _Round, reason: str) -> None:
        log.error(log_lines.NOTICE_POLLER_RESTARTED, reason=reason)
        current.is_over.set()
        self.start()

    def _poll(self, current: _Round) -> None:
        """The thread's body."""
        pause_seconds = current.source.pause_seconds
        try:
            while not current.is_over.is_set():
                pause_seconds = self._poll_once(current, pause_seconds)
                current.heard_at = time.monotonic()
                current.is_over.wait(pause_seconds)
        except Exception:
            log.exception(log_lines.NOTICES_SILENT, reason="the poller died")

    def _poll_once(self, current: _Round, pause_seconds: float) -> float:
        """Ask once; returns the seconds until the next time."""
        try:
            notices = current.source.poll()
        except NoAnswer as error:
            if not self._is_silent:
                log.warning(log_lines.NOTICES_SILENT, reason=str(error))
            self._is_silent = True
            return min(2 * pause_seconds, max(LONGEST_PAUSE_SECONDS, current.source.pause_seconds))
        if self._is_silent:
            log.info(log_lines.NOTICES_HEARD)
        self._is_silent = False
        for notice in notices:
            self._take(notice)
        return current.source.pause_seconds

    def _take(self, notice: Notice) -> None:
        if (notice.id, notice.kind) not in self._logged:
            self._logged.add((notice.id, notice.kind))
            log.info(
                log_lines.NOTICE_RECEIVED if notice.is_departure else log_lines.NOTICE_IGNORED,
                kind=notice.kind,
                reason=notice.reason,
                seconds_left=round(notice.deadline - time.monotonic(), 1),
            )
        if not notice.is_departure:
            return
        with self._lock:  # a round that hung may end beside the new one
            is_first = not self._departures
            self._departures = (*self._departures, notice.departure())
        if is_first:
            # Beside us: a storage that takes its time must not keep the next notice from being heard.
            account = threading.Thread(
                target=self._give_account, args=(notice,), name="eviction-account", daemon=True
            )
            account.start()
            self._account = account

    def _give_account(self, notice: Notice) -> None:
        try:
            self._on_departure(notice)
        except Exception as error:  # noqa: BLE001 - best effort: leaving goes on without it
            log.warning(log_lines.STORAGE_TROUBLE, reason=f"the eviction was not recorded: {error}")
