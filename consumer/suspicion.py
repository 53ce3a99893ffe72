"""Two tiles in a row fail as soon as their inference begins: is it them, or this worker?

A machine that says itself what is wrong with it is believed at once, before it touches the next tile.
The first such tile waits, under its lease, for the next inference; then both are judged, so that no tile is
charged for what a sick machine did to it. Why so: docs/decisions/0013-unfit-and-tail.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import structlog

from consumer.blame import classify, describe
from consumer.work import Stage, Work
from contract import log_lines
from contract.errors import Stopped, WorkerUnfit
from contract.outcomes import Cause

log = structlog.get_logger()

AT_ONCE_SECONDS = 10.0
"""From the start of an inference: a machine that fails tiles does so faster than a good one works."""
VERDICT_POLL_SECONDS = 0.1


class Suspicion:
    """Stands between the pipeline and three of its stages; each is called as the stage is."""

    def __init__(
        self,
        infer: Callable[[Work], None],
        upload: Callable[[Work], None],
        settle: Callable[[Work], None],
        *,
        may_be_worker: Callable[[str], bool],
        in_hand: Callable[[], Iterable[Work]],
        on_unfit: Callable[[str], None],
        is_unfit: Callable[[], bool],
    ) -> None:
        """`may_be_worker`: told a dataset, False when so many workers fell over it that the tiles are the suspects;
        asked in a settle thread, since it asks the storage."""
        self._infer = infer
        self._upload = upload
        self._settle = settle
        self._may_be_worker = may_be_worker
        self._in_hand = in_hand
        self._on_unfit = on_unfit
        self._is_unfit = is_unfit
        self._lock = threading.Lock()
        self._first: Work | None = None
        """Failed at once, and nothing was inferred since."""
        self._second: Work | None = None
        """The next one, which did so too: the verdict is due."""
        self._waiting: dict[Work, Stage] = {}
        """Works that came to be settled before it was known who is to blame, with the stage that they failed in."""
        self._cannot_write = False

    def infer(self, work: Work) -> None:
        """The inference thread's stage. It takes no tile while a verdict is due, and none after a bad one."""
        self._wait_for_verdict(work)
        began = time.monotonic()
        try:
            self._infer(work)
        except BaseException as error:
            self._failed(work, error, time.monotonic() - began)
            raise
        if Stage.INFER in work.seconds:
            with self._lock:
                self._first = None  # a machine that works: the tile before was to blame for itself

    def upload(self, work: Work) -> None:
        """The upload threads' stage. A disk that takes no bytes takes those of no other tile either; what was
        inferred by a machine that became unfit afterwards is as good as ever."""
        if self._cannot_write:
            self._end(work)
        try:
            self._upload(work)
        except BaseException as error:
            if classify(error) is Cause.WORKER:
                self._cannot_write = True
                self._on_unfit(describe(error))
            raise

    def settle(self, work: Work) -> None:
        """The last stage; a tile that waits for a verdict is settled by whoever brings it."""
        with self._lock:
            is_due = work is self._second
            is_waiting = work is self._first
            if is_waiting:
                self._waiting[work] = work.stage
                # No limit runs while it waits, and a worker that leaves hands it back at once, uncharged.
                work.stage = Stage.READY
        if is_due:
            self._judge()
        if not is_waiting:
            self._settle(work)
        for decided in self._take_decided():
            self._settle(decided)

    def _wait_for_verdict(self, work: Work) -> None:
        while self._second is not None:
            work.check()
            work.stop.wait(VERDICT_POLL_SECONDS)
        if self._is_unfit():
            self._end(work)

    def _end(self, work: Work) -> None:
        work.end_early(Stopped(f"{work.tile_name}: its worker became unfit before its turn came"))
        work.check()

    def _failed(self, work: Work, error: BaseException, seconds: float) -> None:
        """An inference ended with an error: note what that says about this worker, before the next one begins."""
        cause = classify(error)
        if cause is Cause.WORKER:
            self._on_unfit(describe(error))
        if cause is not Cause.TILE or seconds > AT_ONCE_SECONDS or work.is_second:
            return
        self._test_worker(work, error)
        with self._lock:
            if self._first is not None and self._first.message.tile != work.message.tile:
                self._second = work
            else:
                self._first = work

    def _test_worker(self, work: Work, error: BaseException) -> None:
        """A machine that fails its self-test now needs no second tile to be found out."""
        if work.recipe is None:
            return
        try:
            work.recipe.selftest()
        except Exception as failed:  # noqa: BLE001 - whatever it is: known results did not come out
            reason = f"the self-test fails after {work.tile_name} did ({describe(error)}): {describe(failed)}"
            self._on_unfit(reason)
            raise WorkerUnfit(reason) from error

    def _judge(self) -> None:
        """Both tiles are charged, or the worker is."""
        first, second = self._first, self._second
        if first is None or second is None or second.error is None:
            raise AssertionError("a verdict needs two tiles that failed")
        reason = (
            f"inference fails at once on two tiles in a row, {first.tile_name} and {second.tile_name}: "
            f"{describe(second.error)}"
        )
        is_worker = self._may_be_worker(second.message.dataset)
        log.warning(log_lines.SUSPICION, reason=reason, suspect="worker" if is_worker else "tiles")
        with self._lock:
            if is_worker:
                for work in (first, second):
                    unfit = WorkerUnfit(reason)
                    unfit.__cause__ = work.error
                    work.error = unfit
                self._on_unfit(reason)
            self._first, self._second = None, None

    def _take_decided(self) -> list[Work]:
        """Waiting works that need not wait any longer: judged, or with nobody in hand who could tell more."""
        with self._lock:
            others = [work for work in self._in_hand() if work is not self._first and not work.is_solo]
            if self._second is None and not others:
                self._first = None
            decided = [work for work in self._waiting if work is not self._first]
            for work in decided:
                work.stage = self._waiting.pop(work)
            return decided
