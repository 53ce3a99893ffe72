"""Infer: one thread, one tile at a time, no network. Its busy share is what the machine is paid for."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from consumer.checkpoints.keep import Checkpoints
from consumer.work import Stage, Work


@dataclass
class BusyShare:
    """How much of the time since the first inference was spent in inference."""

    began: float | None = None
    """time.monotonic() when the first inference ended: what came before was start-up."""
    busy_seconds: float = 0.0
    ended: float | None = None
    running: int = 0
    most_running: int = 0
    """Never more than one; counted because everything else relies on it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)

    def leave(self, seconds: float) -> None:
        with self._lock:
            self.running -= 1
            now = time.monotonic()
            if self.began is None:
                self.began = now
            else:
                self.busy_seconds += seconds
            self.ended = now

    @property
    def share(self) -> float | None:
        """0..1 from the end of the first inference to the end of the last; None before there were two."""
        if self.began is None or self.ended is None or self.ended <= self.began:
            return None
        return self.busy_seconds / (self.ended - self.began)


@dataclass(frozen=True, slots=True)
class InferStage:
    """Feeds the recipe one prepared tile after the other."""

    busy: BusyShare
    checkpoints: Checkpoints

    def __call__(self, work: Work) -> None:
        if work.is_done_before:
            return
        if work.prepared is None or work.recipe is None:
            raise AssertionError("inference follows preparation")
        if work.prepared.is_empty:
            return
        work.enter(Stage.INFER)
        if work.blocks is not None and work.blocks.restored:
            work.progress_before = None
        self.busy.enter()
        try:
            with self.checkpoints.beside(work):
                work.result = work.recipe.infer(work.prepared, work.report_progress, work.stop)
        finally:
            self.busy.leave(time.monotonic() - work.stage_began)
            work.leave(Stage.INFER)
        work.enter(Stage.INFERRED)
