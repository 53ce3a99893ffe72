"""One controller leads: a blob lease, renewed beside the work, trusted only for as long as a stopped clock cannot lie.

A laptop that slept, or a process that was stopped, wakes up believing that it still leads. So what is left of
the lease is measured by the clock that counts suspension, from before the renewal was asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import structlog

from contract import artifact_names
from contract.blob_store import BlobLease, BlobStore
from contract.errors import AlreadyExists, BadInput, NotFound, StorageError, TilefleetError
from fleetctl.suspension_clock import seconds_with_suspension

log = structlog.get_logger()

LEASE_SECONDS = 60
RENEW_SECONDS = 15.0
MAX_NAME_BYTES = 1024


class NotLeading(TilefleetError):
    """The lease ran out or somebody else has it: this process must not touch anything any more."""


class Leader:
    """Leads from `take` to `give_up`, or until the lease is lost."""

    def __init__(
        self, store: BlobStore, name: str = "", *, clock: Callable[[], float] = seconds_with_suspension
    ) -> None:
        """`name`: what a controller that has to wait says of us."""
        self._store = store
        self._name = name
        self._clock = clock
        self._lease: BlobLease | None = None
        self._good_until = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> bool:
        """Lead from now on; False while another controller does. StorageError: we do not lead."""
        with suppress(AlreadyExists):
            self._store.create(artifact_names.CONTROLLER_LEADER, b"")
        began = self._clock()
        try:
            self._lease = self._store.lease(artifact_names.CONTROLLER_LEADER, LEASE_SECONDS)
        except AlreadyExists:
            return False
        self._good_until = began + LEASE_SECONDS
        try:
            self._store.put(artifact_names.CONTROLLER_LEADER, self._name.encode())
        except StorageError:
            self._release()  # else we would wait for our own lease to run out
            raise
        self._thread = threading.Thread(target=self._renew_until_stop, name="leader", daemon=True)
        self._thread.start()
        return True

    def who_leads(self) -> str:
        """The name of who has the lease, or had it last; empty where nobody ever said."""
        try:
            blob = self._store.read(artifact_names.CONTROLLER_LEADER, max_bytes=MAX_NAME_BYTES)
        except NotFound:
            return ""
        return "".join(filter(str.isprintable, blob.data.decode(errors="replace")))

    @property
    def seconds_left(self) -> float:
        """Of leading, if no renewal succeeds any more."""
        return self._good_until - self._clock()

    def check(self, needed_seconds: float) -> None:
        """Before a call that may take so long. NotLeading when another controller may lead before it ends."""
        if self.seconds_left <= needed_seconds:
            raise NotLeading(
                f"{max(0.0, self.seconds_left):.0f} s are left of this controller's lease, the next call may take "
                f"{needed_seconds:.0f} s: another one may lead by then"
            )

    def give_up(self) -> None:
        """Let another controller lead at once."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(RENEW_SECONDS)
        self._release()

    def _release(self) -> None:
        if self._lease is not None:
            with suppress(StorageError):
                self._lease.release()
        self._lease, self._good_until = None, 0.0

    def _renew_until_stop(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            began = self._clock()
            try:
                self._lease_held().renew()
            except StorageError as error:
                log.warning(
                    "leader lease not renewed", reason=str(error), seconds_left=round(self.seconds_left)
                )
                continue
            self._good_until = began + LEASE_SECONDS

    def _lease_held(self) -> BlobLease:
        if self._lease is None:
            raise BadInput("this controller does not lead")
        return self._lease
