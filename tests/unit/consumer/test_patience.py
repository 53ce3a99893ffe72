"""Waiting for a storage that is away: as long as it is worth it, and never past the end of the attempt."""

from __future__ import annotations

import threading

import pytest

from consumer.patience import Patience
from consumer.work import Work
from contract.errors import Changed, Stopped, StorageUnavailable
from contract.tile_id import GridCell
from contract.tile_message import TileMessage
from contract.tile_queue import Received

QUICK = Patience(limit_seconds=20, first_pause_seconds=0.001, longest_pause_seconds=0.002)


@pytest.fixture
def work():
    message = TileMessage("job-1", "dataset-1", GridCell(541, -46))
    return Work(message=message, held=Received("1", message.encode(), "r", 1, "q"))


class Step:
    """Fails a few times, then answers."""

    def __init__(self, failures: int, error=StorageUnavailable) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error("away")
        return self.calls


def test_a_storage_that_comes_back_answers_the_same_step(work):
    assert QUICK.call(Step(5), work) == 6


def test_other_answers_of_the_storage_are_not_waited_for(work):
    step = Step(5, Changed)
    with pytest.raises(Changed):
        QUICK.call(step, work)
    assert step.calls == 1


def test_patience_ends_with_the_storages_own_words(work):
    with pytest.raises(StorageUnavailable, match="away"):
        Patience(limit_seconds=0.01, first_pause_seconds=0.001).call(Step(10**6), work)


def test_a_worker_that_leaves_is_not_waited_for(work):
    """A pause of an hour ends at once when the attempt is to end."""
    endless = Patience(limit_seconds=10_000, first_pause_seconds=3600, longest_pause_seconds=3600)
    ended = []
    began = threading.Event()

    def away():
        began.set()
        raise StorageUnavailable("away")

    def wait():
        try:
            endless.call(away, work)
        except StorageUnavailable as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert began.wait(20)
    work.end_early(Stopped("told to"))
    waiting.join(20)
    assert len(ended) == 1
