"""A tile that is interrupted and gone on from, with storage failing or a worker dying at every request of both.

The moments are counted, not chosen: before and after each request of an attempt that nothing disturbs.
Nothing here is random, so there is no seed: a failure is named by its moment and what happened there.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from contract.commit import read_commit
from tests.unit.consumer.checkpoint_rig import (
    ask,
    checkpoints_of,
    finish,
    interrupt,
    stop_after,
    undisturbed,
)
from tests.unit.consumer.test_worker_survives import DIES, ON, Strikes
from tests.unit.consumer.worker_rig import TILE, Died, StepWorker, World

pytestmark = pytest.mark.slow

SAVED = 4


def evict(world: World, strikes: Strikes) -> None:
    """The first attempt: stopped after four blocks and handed back, as far as it gets."""
    worker = StepWorker(world, "first", strikes)
    worker.parts.state.is_evicted.set()
    with suppress(Died):
        for work in worker.receive():
            fetch(worker, work)
            if work.error is None:
                stop_after(work, SAVED)
                finish(worker, work)
            else:
                worker.parts.steps.settle(work)


def fetch(worker: StepWorker, work) -> None:
    try:
        worker.parts.steps.fetch(work)
    except Exception as error:  # noqa: BLE001 - as the pipeline does
        work.error = error


def resume(world: World, strikes: Strikes) -> None:
    """The second attempt, which nobody stops."""
    worker = StepWorker(world, "second", strikes)
    with suppress(Died):
        for work in worker.receive():
            worker.run(work)


def calls_of(attempt, *, after_eviction: bool) -> list[tuple[str, str]]:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        ask(world)
        if after_eviction:
            evict(world, Strikes())
        notes = Strikes()
        attempt(world, notes)
        return notes.calls


EVICTED_CALLS = calls_of(evict, after_eviction=False)
RESUMED_CALLS = calls_of(resume, after_eviction=True)
STORED = EVICTED_CALLS.index(("after", "upload"))
COMPLETED = RESUMED_CALLS.index(("after", "complete"))


def others_finish(world: World) -> None:
    world.now += 91
    StepWorker(world, "last").work_until_empty()


def resumed_blocks(world: World, job) -> int:
    return read_commit(world.store, job.dataset, TILE, 1).record.done["resumed_blocks"]


@pytest.mark.parametrize("what", [ON, DIES])
@pytest.mark.parametrize("moment", range(len(EVICTED_CALLS)))
def test_whatever_happens_to_the_one_that_leaves_the_tile_comes_out_the_same(tmp_path, moment, what):
    world = World(tmp_path)
    job = ask(world)
    strikes = Strikes(moment, what)
    evict(world, strikes)
    was_stored = checkpoints_of(world, job) != []
    others_finish(world)
    assert set(world.published(job).values()) == {undisturbed(job)}, strikes.hit
    assert world.depths() == (0, 0, 0), strikes.hit
    assert checkpoints_of(world, job) == [], strikes.hit
    assert resumed_blocks(world, job) in ((SAVED,) if was_stored else (0,)), strikes.hit
    assert was_stored or moment <= STORED, strikes.hit


@pytest.mark.parametrize("what", [ON, DIES])
@pytest.mark.parametrize("moment", range(len(RESUMED_CALLS)))
def test_whatever_happens_to_the_one_that_goes_on_the_tile_comes_out_the_same(tmp_path, moment, what):
    world = World(tmp_path)
    job = ask(world)
    interrupt(world, "first", blocks=SAVED)
    strikes = Strikes(moment, what)
    resume(world, strikes)
    others_finish(world)
    assert set(world.published(job).values()) == {undisturbed(job)}, strikes.hit
    assert world.depths() == (0, 0, 0), strikes.hit
    assert resumed_blocks(world, job) == SAVED, strikes.hit
    # Who dies once the message is gone leaves the rest to the lifecycle rule: nobody will look at the tile again.
    assert checkpoints_of(world, job) == [] or moment >= COMPLETED - 1, strikes.hit
