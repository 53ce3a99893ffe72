"""What an idle worker does with the tail: looks who holds what, claims a tile that hangs, makes it its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from consumer.job_watch import JobWatch
from consumer.late_attempts import end_if_late
from consumer.lease import LeaseKeeper
from consumer.report import Reporter
from consumer.tail import Candidate, Pace, tail_candidates
from consumer.work import Work
from contract import log_lines
from contract.blob_store import BlobStore
from contract.commit import read_commit
from contract.errors import BadInput, StorageError, TileError
from contract.heartbeat import read_heartbeats
from contract.second_attempt import claim_second_attempt
from contract.tile_id import parse_tile
from contract.tile_message import TileMessage

log = structlog.get_logger()


@dataclass
class SecondAttempts:
    """Called by the main thread of a worker that has nothing in hand, so that there is never more than one."""

    store: BlobStore
    jobs: JobWatch
    keeper: LeaseKeeper
    reporter: Reporter
    worker: str
    pace: Callable[[], Pace]
    pause_seconds: float
    """Between two looks: each lists all heartbeats."""
    _current: Work | None = None
    _next_look: float = 0.0
    _not_before: dict[tuple[str, str, int], float] = field(default_factory=dict)
    """time.monotonic() until when a tile that others have claimed is not looked at again."""

    def take(self) -> Work | None:
        """A second attempt that is ours, its progress watched from now on; None when there is none to make."""
        now = time.monotonic()
        if now < self._next_look:
            return None
        self._next_look = now + self.pause_seconds
        pace = self.pace()
        try:
            seen = read_heartbeats(self.store).seen
            for candidate in tail_candidates(seen, pace, self.store.now(), worker=self.worker):
                work = self._claim(candidate, pace)
                if work is not None:
                    self._current = work
                    return work
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
        return None

    def end_if_done(self) -> None:
        """Look now and then whether the second attempt under way is late."""
        work = self._current
        if work is None or work.stop.is_set() or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + self.pause_seconds
        end_if_late(self.store, work)

    def _claim(self, candidate: Candidate, pace: Pace) -> Work | None:
        tile = candidate.tile
        key = (tile.dataset, tile.tile, tile.generation)
        if time.monotonic() < self._not_before.get(key, 0.0):
            return None
        self._not_before[key] = time.monotonic() + pace.claim_seconds
        try:
            message = TileMessage(tile.job, tile.dataset, parse_tile(tile.tile), tile.generation)
            limit = self._limit(message)
        except (TileError, BadInput) as error:  # paused, cancelled, or nothing that we know
            log.info(log_lines.SECOND_ATTEMPT, tile=tile.tile, refused=str(error))
            return None
        work = Work(message, held=None, on_stage_ended=self.reporter.stage_ended)
        number = claim_second_attempt(
            self.store,
            message.dataset,
            message.tile,
            message.generation,
            attempt=work.attempt,
            limit=limit,
            old_seconds=pace.claim_seconds,
        )
        if number is None:
            return None
        self.keeper.hold(work)
        self.reporter.second_attempt(work, number, candidate.reason)
        log.info(log_lines.SECOND_ATTEMPT, tile=tile.tile, attempt=work.attempt, reason=candidate.reason)
        return work

    def _limit(self, message: TileMessage) -> int:
        """How many second attempts the job allows at a tile that is not committed; TileError for a job that rests."""
        allowed = self.jobs.job(message.job).second_attempts
        if not allowed:
            return 0
        self.jobs.check(message.job)
        committed = read_commit(self.store, message.dataset, message.tile, message.generation)
        return 0 if committed is not None else allowed
