"""Checkpoints on a tile's way through the worker: planned from, restored, saved beside the inference, cleared.

The inference thread only hands over finished blocks; one thread of its own uploads, one checkpoint at a time. No
trouble with a checkpoint ends a tile, but for a storage that is away: then the next attempt finds it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import structlog

from consumer.checkpoints.blocks import Blocks
from consumer.checkpoints.due import expected_seconds
from consumer.checkpoints.part import NotUsable
from consumer.checkpoints.shelf import Shelf
from consumer.late_attempts import end_if_late, winner_over
from consumer.recipe import Checkpointing, Plan
from consumer.work import Work
from contract import artifact_names, log_lines
from contract.errors import StorageError
from contract.tile_message import TileMessage

log = structlog.get_logger()

FIRST_GUESS_BYTES_PER_SECOND = 10e6
"""Until an upload was measured: below what any machine with a GPU has."""
LEAST_MEASURED_BYTES = 4 * 2**20
"""Shorter uploads tell of the storage's latency, not of its rate."""
FIXED_SECONDS = 3.0
"""Of a save, whatever its length: two until the inference has stopped, and the requests."""
WITHOUT_DEADLINE_SECONDS = 60.0
"""How long a stopped tile waits for its checkpoint when nobody said by when."""


class Checkpoints:
    """Of one worker; any thread may call any method."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        every_seconds: float,
        tiles_over_seconds: float,
        median_seconds: Callable[[], float | None],
        may_save: Callable[[], bool],
        on_saved: Callable[[Work, int, int, float], None],
    ) -> None:
        """Save every so often for tiles that take longer than that.

        median_seconds: of the inferences so far; None before the first.
        may_save: False once this worker's results are in doubt.
        on_saved: told the finished blocks, the bytes and the seconds of each save.
        """
        self._shelf = shelf
        self._every_seconds = every_seconds
        self._tiles_over_seconds = tiles_over_seconds
        self._median_seconds = median_seconds
        self._may_save = may_save
        self._on_saved = on_saved
        self._bytes_per_second = FIRST_GUESS_BYTES_PER_SECOND
        self._uploads = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")

    def plan(self, work: Work, plan: Plan) -> Plan:
        """The plan, or the one of an interrupted attempt whose blocks may be gone on from."""
        recipe: object = work.recipe
        fingerprint = recipe.fingerprint() if isinstance(recipe, Checkpointing) else None
        if not isinstance(recipe, Checkpointing) or fingerprint is None:
            return plan
        work.finder = self._shelf.finder(work.message)
        for found in work.finder.matching(fingerprint):
            try:
                again = recipe.plan_like(plan, found.inputs)
            except (LookupError, TypeError, ValueError) as error:
                work.finder.ignore(found.name, f"what it says of its inputs makes no sense: {error!r}")
                continue
            if again is not None:
                return again
            work.finder.ignore(found.name, "what it was made from is not there any more")
        return plan

    def restore(self, work: Work) -> None:
        """Let the inference of a prepared tile begin behind the blocks of an interrupted attempt, if there are any."""
        blocks = work.blocks
        if blocks is None or work.finder is None:
            return
        for found in work.finder.matching(blocks.fingerprint):
            try:
                blocks.restore(self._shelf.blocks_of(found))
            except (NotUsable, OSError, ValueError) as error:
                work.finder.ignore(found.name, str(error))
                continue
            work.saved_as, work.saved_blocks = found.name, found.finished
            log.info(
                log_lines.CHECKPOINT_RESUMED,
                tile=work.tile_name,
                attempt=work.attempt,
                checkpoint=found.name,
                blocks=found.finished,
                total=blocks.total,
            )
            return

    @contextmanager
    def beside(self, work: Work) -> Iterator[None]:
        """Save now and then while the inference runs inside, if it turns out to be a long one."""
        ended = threading.Event()
        if work.blocks is not None and work.blocks.total > 1:
            name = f"checkpoints-of-{work.attempt}"
            threading.Thread(target=self._now_and_then, args=(work, ended), name=name, daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def hand_over(self, work: Work, message: TileMessage) -> TileMessage:
        """Save what a stopped attempt has finished, by `work.save_by`; the message, with the newest checkpoint."""
        if not self._may_save():
            self.distrust(work)
            return message
        by = work.save_by if work.save_by is not None else time.monotonic() + WITHOUT_DEADLINE_SECONDS
        return message.reached(self.save(work, by=by))

    def save(self, work: Work, *, by: float | None = None) -> str:
        """Store the blocks finished since the last save; the newest checkpoint's name, empty if there is none.

        Waits until `by` (time.monotonic()) at most. Never raises: what could not be saved is inferred again.
        """
        blocks = work.blocks
        if blocks is None or work.plan is None:
            return work.saved_as
        upload = self._uploads.submit(self._upload, work, blocks, work.plan)
        try:
            upload.result(None if by is None else max(0.0, by - time.monotonic()))
        except TimeoutError:
            upload.cancel()
            self._log_not_saved(work, "there was no time left")
        except (StorageError, OSError, ValueError) as error:
            self._log_not_saved(work, str(error))
        except Exception:
            log.exception(log_lines.CHECKPOINT_NOT_SAVED, tile=work.tile_name, attempt=work.attempt)
        return work.saved_as

    def save_seconds(self, work: Work) -> float:
        """How long a save would take now, by the bytes that are not stored yet and the last measured rate."""
        blocks = work.blocks
        unsaved = blocks.bytes_since(work.saved_blocks) if blocks is not None else 0
        return FIXED_SECONDS + unsaved / self._bytes_per_second if unsaved else 0.0

    def clear(self, work: Work) -> None:
        """The tile is committed: delete the checkpoints of its generation, of all attempts, and save none after."""
        if work.finder is not None or work.message.checkpoint:
            self._delete(work, attempt="")

    def distrust(self, work: Work) -> None:
        """Delete those of this attempt: its worker turned out to be unfit, and it may have reckoned wrong before."""
        if work.blocks is not None:
            self._delete(work, attempt=work.attempt)

    def clear_if_late(self, work: Work) -> None:
        """Delete those of this attempt if another one has committed the tile: who did may have cleared before."""
        if work.blocks is not None and winner_over(self._shelf.store, work):
            self._delete(work, attempt=work.attempt)

    def _delete(self, work: Work, *, attempt: str) -> None:
        """In the uploading thread: what it is at comes first, and nothing comes after."""

        def close_and_clear() -> None:
            work.saved_blocks = work.blocks.total if work.blocks is not None else 0
            self._shelf.clear(work.message, attempt)

        try:
            self._uploads.submit(close_and_clear).result()
        except StorageError as error:  # the lifecycle rule on checkpoints gets what is left
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=str(error))

    def _now_and_then(self, work: Work, ended: threading.Event) -> None:
        while not ended.wait(self._every_seconds):
            elapsed = time.monotonic() - work.stage_began
            expected = expected_seconds(self._median_seconds(), elapsed, work.gained)
            if expected is not None and expected > self._tiles_over_seconds and self._may_save():
                self.save(work)
                end_if_late(self._shelf.store, work)

    def _upload(self, work: Work, blocks: Blocks, plan: Plan) -> None:
        first = work.saved_blocks
        new = blocks.since(first)
        if not new:
            return
        began = time.monotonic()
        finished = first + len(new)
        message = work.message
        name = artifact_names.checkpoint(
            message.dataset, message.tile, message.generation, work.attempt, finished
        )
        length = self._shelf.write(
            name,
            new,
            first=first,
            total=blocks.total,
            after=work.saved_as,
            fingerprint=blocks.fingerprint,
            inputs=plan.inputs,
        )
        seconds = time.monotonic() - began
        work.saved_as, work.saved_blocks = name, finished
        if length >= LEAST_MEASURED_BYTES:
            self._bytes_per_second = length / max(seconds, 1e-3)
        self._on_saved(work, finished, length, seconds)
        log.info(
            log_lines.CHECKPOINT_SAVED,
            tile=work.tile_name,
            attempt=work.attempt,
            blocks=finished,
            total=blocks.total,
            bytes=length,
            seconds=round(seconds, 2),
        )

    def _log_not_saved(self, work: Work, reason: str) -> None:
        log.warning(log_lines.CHECKPOINT_NOT_SAVED, tile=work.tile_name, attempt=work.attempt, reason=reason)
