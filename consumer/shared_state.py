"""What the parts of one worker share: why it goes, what it holds, and what it measured so far."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from dataclasses import dataclass, field

import structlog

from consumer.prefetch import StageTimes, stage_limit_seconds
from consumer.settings import Settings
from consumer.stages.infer import BusyShare
from consumer.tail import Pace
from consumer.work import Stage, Work
from contract import log_lines
from contract.heartbeat import WorkerState

log = structlog.get_logger()

LEAST_MEASURED = 3
"""Tiles before a stage's usual time is known well enough to call another one slow."""
SILENT_HEARTBEATS = 3
KEPT_SECONDS = 200
"""Measured stages that count for a stage's limit: enough for a 95th percentile."""


@dataclass
class SharedState:
    """Made before the parts; any thread may call any method."""

    settings: Settings
    is_evicted: threading.Event = field(default_factory=threading.Event)
    wake: threading.Condition = field(default_factory=threading.Condition)
    times: StageTimes = field(default_factory=StageTimes)
    stage_seconds: dict[Stage, deque[float]] = field(default_factory=dict)
    busy: BusyShare = field(default_factory=BusyShare)
    unfit: str = ""
    stuck: str = ""
    departure: str = ""
    settled: int = 0
    _in_hand: dict[Work, None] = field(default_factory=dict)
    """In the order of receipt."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_received(self, work: Work) -> None:
        """A tile that occupies this worker until its last stage, even if its lease is lost before that."""
        with self._lock:
            self._in_hand[work] = None

    def in_hand(self) -> list[Work]:
        """What was received and has not passed its last stage yet."""
        with self._lock:
            return list(self._in_hand)

    def on_unfit(self, reason: str) -> None:
        """Take nothing more: this machine fails tiles."""
        log.error(log_lines.WORKER_UNFIT, reason=reason)
        self.unfit = self.unfit or reason
        self._notify()

    def on_stuck(self, work: Work, reason: str) -> None:
        """End the process: a thread of it hangs."""
        log.error(log_lines.WORKER_STUCK, tile=work.tile_name, reason=reason)
        self.stuck = self.stuck or f"{work.tile_name}: {reason}"
        self._notify()

    def on_settled(self, work: Work) -> None:
        """Learn from a work that ended, and make room for the next."""
        with self._lock:
            self._in_hand.pop(work, None)
            self.settled += 1
            is_resumed = work.commit is not None and bool(work.commit.done.get("resumed_blocks"))
            if work.error is None and Stage.INFER in work.seconds and not is_resumed:
                self._learn(work)  # the rest of a resumed tile says nothing about a whole one
        self._notify()

    def _learn(self, work: Work) -> None:
        outside = sum(seconds for stage, seconds in work.seconds.items() if stage is not Stage.INFER)
        self.times.add(outside_seconds=outside, infer_seconds=work.seconds[Stage.INFER])
        for stage, seconds in work.seconds.items():
            self.stage_seconds.setdefault(stage, deque(maxlen=KEPT_SECONDS)).append(seconds)

    def why_leaving(self) -> tuple[WorkerState | None, str]:
        """What the heartbeat says of a worker that goes; (None, "") while it works."""
        if self.unfit:
            return WorkerState.UNFIT, self.unfit
        return (WorkerState.LEAVING, self.departure) if self.departure else (None, "")

    def limit_seconds(self, stage: Stage) -> float:
        """How long a stage may go without progress; waiting stages may for ever."""
        floors = {
            Stage.DOWNLOAD: self.settings.download_limit_seconds,
            Stage.PREPARE: self.settings.download_limit_seconds,
            Stage.INFER: self.settings.infer_limit_seconds,
            Stage.UPLOAD: self.settings.upload_limit_seconds,
            Stage.SETTLE: self.settings.upload_limit_seconds,
        }
        if stage not in floors:
            return float("inf")
        with self._lock:
            measured = list(self.stage_seconds.get(stage, ()))
        return stage_limit_seconds(measured, floor_seconds=floors[stage])

    def wanted_tiles(self) -> int:
        """How many tiles to hold now."""
        with self._lock:
            return self.times.wanted(most=self.settings.most_tiles)

    def expected_infer_seconds(self) -> float | None:
        """Median of what inference took; None before the first tile."""
        with self._lock:
            return statistics.median(self.times.infer) if self.times.infer else None

    def pace(self) -> Pace:
        """What is slow and what is silent, by what was measured here."""
        with self._lock:
            usual = {
                stage.value: statistics.median(measured)
                for stage, measured in self.stage_seconds.items()
                if len(measured) >= LEAST_MEASURED
            }
        lease_seconds = self.settings.lease_seconds
        silent_seconds = lease_seconds + SILENT_HEARTBEATS * self.settings.heartbeat_seconds
        return Pace(usual, silent_seconds=silent_seconds, least_seconds=lease_seconds)

    def _notify(self) -> None:
        with self.wake:
            self.wake.notify_all()
