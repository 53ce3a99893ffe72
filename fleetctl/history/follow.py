"""Keeps the fold of the ledger and the jobs' progress up to date beside the ticks, in two threads of its own.

One follows lines and states, every few seconds; the other lists commits, which may take minutes. Whoever asks
is answered from memory. While the storage is away the last answers stand, and it is said once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from contract.artifact_names import HISTORY
from contract.blob_store import BlobStore
from contract.errors import BadInput, NotFound, StorageError
from fleetctl.controller.snapshot import Attempts, JobSeen
from fleetctl.history.fold import Fold
from fleetctl.history.jobs import JobBook
from fleetctl.history.snapshot_file import Kept, decode, encode
from fleetctl.history.tail import LedgerTail

log = structlog.get_logger()

PASS_SECONDS = 10.0
LIST_LOOK_SECONDS = 5.0
KEEP_SECONDS = 300.0
"""Between two snapshots: a killed controller reads again what came since."""
SILENT = "ledger not read"
HEARD = "ledger read again"


class LedgerHistory:
    """Implements the controller's History."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._jobs = JobBook(store)
        self._fold = Fold()
        self._tail = LedgerTail(store)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._kept_at = time.monotonic()
        self._trouble: dict[str, str] = {}

    def load(self) -> None:
        """Go on from the last snapshot; without one, from the ledger's last day. StorageError."""
        try:
            kept = decode(self._store.read(HISTORY).data, time.monotonic())
        except NotFound:
            return  # the first controller of this fleet
        except (BadInput, ValueError) as error:
            log.info("the ledger is folded anew", reason=str(error))
            return
        self._fold, self._tail = kept.fold, LedgerTail(self._store, kept.positions)
        self._jobs.restore(kept.counts)

    def start(self) -> None:
        """Follow from now on, until `stop`."""
        for name, body in (("history", self._follow), ("listing", self._list)):
            thread = threading.Thread(target=body, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, limit_seconds: float) -> None:
        """End the threads; a listing under way is left to the process's end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(limit_seconds)

    def catch_up(self) -> None:
        """Everything that there is now, in this thread: for who looks once. StorageError.

        Lines that workers write meanwhile are not waited for: there would be no end to them.
        """
        self._jobs.look()
        self._jobs.list_due()
        ends = self._tail.ends()
        while self.follow_once() and self._tail.is_behind(ends):
            pass

    def follow_once(self) -> bool:
        """One pass; whether there was anything new. StorageError."""
        self._jobs.look()
        events = self._tail.read_new()
        with self._lock:
            for event in events:
                self._fold.take(event)
            self._fold.forget_before(self._store.now().timestamp())
        for event in events:
            self._jobs.take(event)
        return bool(events)

    def list_once(self) -> None:
        """Count what is due. StorageError."""
        self._jobs.list_due()

    def keep(self) -> None:
        """Write the snapshot. StorageError."""
        with self._lock:
            data = encode(Kept(self._tail.positions, self._fold, self._jobs.counts()))
        self._store.put(HISTORY, data)
        self._kept_at = time.monotonic()

    def delayed(self, now: float) -> int:
        with self._lock:
            return self._fold.delayed(now)

    def attempts(self, now: float, window_seconds: float) -> Attempts:
        with self._lock:
            return self._fold.attempts(now, window_seconds)

    def tile_seconds(self) -> float | None:
        with self._lock:
            return self._fold.median_tile_seconds()

    def stage_seconds(self) -> dict[str, float]:
        """Median by stage."""
        with self._lock:
            return self._fold.median_stage_seconds()

    def tiles_done(self, now: float, window_seconds: float) -> int:
        with self._lock:
            return self._fold.tiles_done(now, window_seconds)

    def sent_bytes(self) -> dict[tuple[str, str], int]:
        with self._lock:
            return dict(self._fold.sent_bytes)

    def jobs(self) -> tuple[JobSeen, ...]:
        return self._jobs.seen()

    def _follow(self) -> None:
        while not self._stop.is_set():
            self._guarded("lines", self.follow_once)
            if time.monotonic() - self._kept_at >= KEEP_SECONDS:
                self._guarded("snapshot", self.keep)
            self._stop.wait(PASS_SECONDS)
        with suppress(StorageError):
            self.keep()

    def _list(self) -> None:
        while not self._stop.is_set():
            self._guarded("commits", self.list_once)
            self._stop.wait(LIST_LOOK_SECONDS)

    def _guarded(self, what: str, step: Callable[[], object]) -> None:
        """Trouble is said once when it begins and once when it ends; a thread of ours never dies of it."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the last answers stand, and the next pass tries again
            if what not in self._trouble:
                log.warning(SILENT, what=what, reason=str(error)[:300])
            self._trouble[what] = str(error)
            return
        if self._trouble.pop(what, None) is not None:
            log.info(HEARD, what=what)
