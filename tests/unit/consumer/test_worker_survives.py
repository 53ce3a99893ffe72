"""One tile from receive to settle, with storage failing, falling silent or the process dying at every moment.

The moments are counted, not chosen: before and after each request that an undisturbed attempt makes.
Nothing here is random, so there is no seed: a failure is named by its moment and what happened there.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from contract.commit import read_commit
from contract.completion import completion
from contract.errors import StorageUnavailable
from contract.outcomes import Cause
from contract.tile_message import TileMessage
from tests.unit.consumer.worker_rig import TILE, Died, StepWorker, World

pytestmark = pytest.mark.slow

ONCE, ON, DIES = "fails once", "is away from there on", "dies there"


class Strikes:
    """A fault hook that notes its calls and does something at one of them."""

    def __init__(self, moment: int | None = None, what: str = "") -> None:
        self.moment, self.what = moment, what
        self.calls: list[tuple[str, str]] = []

    def __call__(self, when, operation, name):
        self.calls.append((when, operation))
        now = len(self.calls) - 1
        if self.moment is None or now < self.moment or (now > self.moment and self.what != ON):
            return
        raise Died if self.what == DIES else StorageUnavailable(f"{when} {operation} {name}")

    @property
    def hit(self) -> tuple[str, str]:
        """What the first strike met."""
        return self.calls[self.moment or 0]


def ask(world: World, *, is_suspect: bool):
    job = world.ask()
    if is_suspect:
        for number in range(2):  # two workers prepared it and were never heard of again
            worker = StepWorker(world, f"dead{number}")
            (work,) = worker.receive()
            worker.parts.steps.fetch(work)
            world.now += 91
    return job


def undisturbed(*, is_suspect: bool):
    """The requests of an attempt that nothing disturbs, and what it publishes."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        job = ask(world, is_suspect=is_suspect)
        notes = Strikes()
        worker = StepWorker(world, "undisturbed", notes)
        (work,) = worker.receive()
        assert work.is_solo is is_suspect
        worker.run(work)
        return notes.calls, world.published(job)


CALLS, PUBLISHED = undisturbed(is_suspect=False)
MARKED_PUBLISHED = CALLS.index(("after", "set_metadata"))
MARKED_BEGUN = CALLS.index(("after", "renew"))
"""From there on the message says who began: whoever vanishes now is charged."""
SUSPECT_CALLS, _ = undisturbed(is_suspect=True)


def attempt(world: World, strikes: Strikes) -> StepWorker:
    worker = StepWorker(world, "first", strikes)
    with suppress(Died):
        for work in worker.receive():
            worker.run(work)
    return worker


def assert_whole(world: World, job) -> None:
    """asked = committed, one commit, the same bytes as ever, nothing queued, nothing given up."""
    counted = completion(world.store, job.id)
    assert (counted.asked, counted.committed, counted.explained) == (1, 1, 0)
    assert len(world.names(f"datasets/{job.dataset}/commits/")) == 1
    committed = read_commit(world.store, job.dataset, TILE, 1)
    assert committed is not None
    assert committed.is_published
    assert world.published(job) == PUBLISHED
    assert world.depths() == (0, 0, 0)
    assert world.names("poison/") == []


@pytest.mark.parametrize("what", [ONCE, ON, DIES])
@pytest.mark.parametrize("moment", range(len(CALLS)))
def test_a_tile_is_committed_once_whatever_happens_to_its_first_worker(tmp_path, moment, what):
    world = World(tmp_path)
    job = ask(world, is_suspect=False)
    first = attempt(world, Strikes(moment, what))
    if what != DIES:
        assert first.parts.keeper.held() == []
        assert first.parts.budget.used_bytes == 0
        assert first.parts.state.in_hand() == []

    works = StepWorker(world, "second").work_until_empty()

    assert_whole(world, job)
    charged = [work for work in works if Cause.SILENT_DEATH in work.message.tries and not work.is_done_before]
    assert not charged or (moment >= MARKED_BEGUN and (what != ONCE or CALLS[moment] == ("after", "renew")))
    assert all(set(work.message.tries) <= {Cause.SOURCE, Cause.SILENT_DEATH} for work in works)
    assert all(work.message.tries.get(Cause.SILENT_DEATH, 0) <= 1 for work in works)
    assert not any(work.is_solo for work in works)
    # Only what a worker leaves behind after it marked its publication waits for the lifecycle rule.
    assert world.names("staging/") == [] or moment >= MARKED_PUBLISHED


@pytest.mark.parametrize("what", [ONCE, ON])
@pytest.mark.parametrize("moment", range(len(SUSPECT_CALLS)))
def test_a_suspect_ends_well_and_is_charged_only_where_its_worker_could_not_report(tmp_path, moment, what):
    world = World(tmp_path)
    job = ask(world, is_suspect=True)
    strikes = Strikes(moment, what)
    attempt(world, strikes)
    works = StepWorker(world, "second").work_until_empty()
    assert_whole(world, job)
    charged = [work for work in works if work.message.solo_deaths and not work.is_done_before]
    # A renewal whose answer is lost leaves us without a receipt: that worker cannot say that it lives.
    assert not charged or what == ON or strikes.hit == ("after", "renew")


@pytest.mark.parametrize("moment", range(len(CALLS)))
def test_storage_that_fails_again_and_again_gives_nothing_up(tmp_path, moment):
    """Every worker but the last meets the same failure at the same moment."""
    world = World(tmp_path)
    job = ask(world, is_suspect=False)
    for number in range(3):
        worker = StepWorker(world, f"w{number}", Strikes(moment, ONCE))
        for work in worker.receive():
            worker.run(work)
        world.now += 3600
    StepWorker(world, "last").work_until_empty()
    assert_whole(world, job)


def test_a_published_tile_that_comes_again_costs_a_receive_a_read_and_a_delete(tmp_path):
    world = World(tmp_path)
    job = ask(world, is_suspect=False)
    StepWorker(world, "first").work_until_empty()
    world.queues.urgent.send(TileMessage(job.id, job.dataset, TILE).encode())
    notes = Strikes()
    worker = StepWorker(world, "again", notes)
    worker.parts.steps.download.jobs.state(job.id)  # what every worker of a job knows already
    notes.calls.clear()
    (work,) = worker.receive()
    worker.run(work)
    assert [operation for when, operation in notes.calls if when == "before"] == [
        "receive",
        "read",
        "complete",
    ]
    assert_whole(world, job)


def test_a_worker_that_died_before_its_delete_costs_the_next_one_no_more_than_that(tmp_path):
    world = World(tmp_path)
    job = ask(world, is_suspect=False)
    attempt(world, Strikes(CALLS.index(("before", "complete")), DIES))
    world.now += 91
    notes = Strikes()
    worker = StepWorker(world, "again", notes)
    worker.parts.steps.download.jobs.state(job.id)
    notes.calls.clear()
    (work,) = worker.receive()
    worker.run(work)
    assert [operation for when, operation in notes.calls if when == "before"] == [
        *("receive", "receive"),  # the urgent queue is empty
        *("read", "complete"),
    ]


def test_a_committed_tile_that_was_not_published_is_finished_by_the_next_worker(tmp_path):
    world = World(tmp_path)
    job = ask(world, is_suspect=False)
    attempt(world, Strikes(CALLS.index(("after", "create")), DIES))
    assert world.published(job) == {}
    world.now += 91
    (work,) = StepWorker(world, "second").work_until_empty()
    assert work.is_done_before
    assert_whole(world, job)
    assert world.names("staging/") == []
