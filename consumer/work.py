"""The item that travels through the stages: one message, its lease, and what is known of its tile so far."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from consumer.checkpoints.blocks import Blocks
from consumer.checkpoints.find import Finder
from consumer.job_watch import JobCancelled
from consumer.recipe import Plan, Prepared, Recipe
from contract.commit import CommitRecord
from contract.errors import LeaseLost, Stopped, TilefleetError, WorkerUnfit
from contract.tile_message import TileMessage
from contract.tile_queue import Received


class Stage(StrEnum):
    """Where a tile is in the worker."""

    RECEIVED = "received"
    DOWNLOAD = "download"
    PREPARE = "prepare"
    READY = "ready"
    """Prepared, waiting for the inference thread."""
    INFER = "infer"
    INFERRED = "inferred"
    """Waiting for an upload thread."""
    UPLOAD = "upload"
    SETTLE = "settle"


TIMED_STAGES = (Stage.DOWNLOAD, Stage.PREPARE, Stage.INFER, Stage.UPLOAD, Stage.SETTLE)
UNCOMMITTED_HANDS = frozenset({Stage.RECEIVED, Stage.DOWNLOAD, Stage.PREPARE, Stage.READY})
"""Stages whose leases are freed at once when the worker leaves."""


@dataclass(eq=False)
class Work:
    """One attempt at one tile. Only its stage's thread writes to it, but for the lease and the claim."""

    message: TileMessage
    """As it was received: what the attempt's reported end is added to."""
    held: Received | None
    """Under the newest receipt; LeaseKeeper replaces it. None: a second attempt, whose message another worker holds."""
    is_solo: bool = False
    """A suspect: nothing runs beside it."""
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    stage: Stage = Stage.RECEIVED
    progress: float = 0.0
    progress_before: float | None = 0.0
    """Share of the stage that an earlier attempt did; None: the recipe's first report will tell."""
    stage_began: float = field(default_factory=time.monotonic)
    last_progress: float = field(default_factory=time.monotonic)
    seconds: dict[Stage, float] = field(default_factory=dict)
    ended_at: dict[Stage, datetime] = field(default_factory=dict)
    """When each stage ended, by this machine's clock, UTC."""
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    downloaded_bytes: int = 0
    uploaded_bytes: int = 0
    reserved_bytes: int = 0
    recipe: Recipe | None = None
    plan: Plan | None = None
    downloaded: Any = None
    """The recipe's own, between download and preparation."""
    prepared: Prepared | None = None
    finder: Finder | None = None
    """Checkpoints of the tile; None: its recipe offers none."""
    saved_as: str = ""
    """The newest checkpoint that this attempt saved, or went on from."""
    saved_blocks: int = 0
    """Blocks that are finished with it."""
    save_by: float | None = None
    """time.monotonic() by when a stopped attempt's checkpoint must be stored; None: nobody said."""
    result: Any = None
    commit: CommitRecord | None = None
    """The commit to publish: ours once uploaded, or the one that was there already."""
    is_done_before: bool = False
    """The tile was committed before this attempt began to work."""
    is_published_before: bool = False
    error: BaseException | None = None
    on_stage_ended: Callable[[Work, Stage, float], None] | None = None
    """Told the stage and its seconds."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when this attempt should end at its next boundary."""
    stop_reason: TilefleetError | None = None
    _claim: threading.Lock = field(default_factory=threading.Lock)
    _is_claimed: bool = False

    @property
    def is_second(self) -> bool:
        """Made beside the holder of the tile's message: nothing is charged, returned or deleted for it."""
        return self.held is None

    @property
    def tile_name(self) -> str:
        return self.message.tile.name

    @property
    def blocks(self) -> Blocks | None:
        """Of its inference, finished or not; None where there are none."""
        return self.prepared.blocks if self.prepared is not None else None

    @property
    def gained(self) -> float:
        """Share of the stage that this attempt did itself."""
        return 0.0 if self.progress_before is None else max(0.0, self.progress - self.progress_before)

    def enter(self, stage: Stage) -> None:
        """Begin a stage; ends the attempt here when it was stopped or lost its lease."""
        self.check()
        now = time.monotonic()
        # The stage last: LeaseKeeper must not measure a new stage by the hours of waiting before it.
        self.progress, self.progress_before = 0.0, 0.0
        self.stage_began, self.last_progress = now, now
        self.stage = stage

    def leave(self, stage: Stage) -> None:
        """End a stage and note its seconds."""
        seconds = time.monotonic() - self.stage_began
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        self.ended_at[stage] = datetime.now(UTC)
        if self.on_stage_ended is not None:
            self.on_stage_ended(self, stage, seconds)

    def report_progress(self, share: float) -> None:
        """Called by the recipe; only what moves forward counts as progress."""
        if self.progress_before is None:
            self.progress_before = share
        if share > self.progress:
            self.progress = min(share, 1.0)
            self.last_progress = time.monotonic()
        self.check()

    def check(self) -> None:
        """Raise what ends this attempt, if anything does."""
        if self.stop.is_set():
            raise self.stop_reason or Stopped(f"{self.tile_name}: the worker was asked to leave")

    def end_early(self, reason: TilefleetError) -> None:
        """Ask the attempt to end at its next boundary. The first reason stays."""
        if self.stop_reason is None:
            self.stop_reason = reason
        self.stop.set()

    def ended_by(self, error: BaseException) -> BaseException:
        """What an attempt that ends with `error` ended by: a recipe that was stopped because of its machine,
        its job or its lease knows only that it was stopped."""
        if type(error) is Stopped and isinstance(self.stop_reason, WorkerUnfit | JobCancelled | LeaseLost):
            return self.stop_reason
        return error

    def claim(self) -> bool:
        """True once: who gets it settles the message, everybody else drops the work."""
        with self._claim:
            if self._is_claimed:
                return False
            self._is_claimed = True
            return True
