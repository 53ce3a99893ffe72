"""Two tiles in a row that fail at once: whose fault it is, and that the innocent are not charged."""

from __future__ import annotations

import pytest

from consumer.harms import WINDOW_SECONDS, may_be_worker
from contract.errors import AlreadyExists, GiveUp, NotAllowed, StorageError, StorageUnavailable, WorkerUnfit
from contract.outcomes import Cause
from contract.tile_id import GridCell
from contract.tile_message import decode_message
from tests.unit.consumer.worker_rig import StepWorker, World

TILES = tuple(GridCell(541, -46 + n) for n in range(6))


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class Sick:
    """What a worker's recipe does with each tile, in the order in which it is inferred."""

    def __init__(
        self, worker: StepWorker, *ends: Exception | None, selftest: Exception | None = None
    ) -> None:
        self.worker, self.ends, self.touched = worker, list(ends), 0
        self.selftest = selftest

    def take(self, count: int):
        """Receive so many tiles and fetch them, as the download threads do."""
        works = self.worker.receive(count)
        for work in works:
            self.worker.parts.steps.fetch(work)
            self._infect(work.recipe)
        return works

    def _infect(self, recipe) -> None:
        infer = type(recipe).infer

        def sick_infer(*arguments):
            self.touched += 1
            end = self.ends.pop(0) if self.ends else None
            if end is not None:
                raise end
            return infer(recipe, *arguments)

        def selftest():
            if self.selftest is not None:
                raise self.selftest

        recipe.infer, recipe.selftest = sick_infer, selftest

    def work_on(self, works) -> None:
        """From inference on, one after the other."""
        steps = self.worker.parts.steps
        for work in works:
            for stage in (steps.infer, steps.upload):
                if work.error is None:
                    try:
                        stage(work)
                    except Exception as error:  # noqa: BLE001 - as the pipeline does
                        work.error = error
            steps.settle(work)


def tries(world: World, seconds: float = 3600.0) -> list[dict[Cause, int]]:
    """Of all messages that are left."""
    world.now += seconds
    return [dict(decode_message(held.body).tries) for held in world.queues.receive(32, 1)]


def test_two_tiles_in_a_row_that_fail_at_once_make_the_worker_unfit_and_are_not_charged(world):
    world.ask(*TILES)
    worker = StepWorker(world, "w1")
    sick = Sick(worker, GiveUp("NaN in block 3"), GiveUp("NaN in block 7"))
    sick.work_on(sick.take(4))
    assert sick.touched == 2
    assert "two tiles in a row" in worker.parts.state.unfit
    assert sorted(map(str, tries(world))) == sorted(map(str, [{Cause.WORKER: 1}] * 2 + [{}] * 4))
    assert worker.parts.state.in_hand() == []
    assert worker.parts.keeper.held() == []
    assert worker.parts.budget.used_bytes == 0


def test_the_first_tile_waits_for_the_next_one_and_is_then_charged_for_itself(world):
    world.ask(*TILES[:2])
    worker = StepWorker(world, "w1")
    sick = Sick(worker, GiveUp("a bad tile"))
    first, second = sick.take(2)
    sick.work_on([first])
    assert worker.parts.keeper.held() == [first, second]  # leased until the next one is known
    sick.work_on([second])
    assert worker.parts.state.unfit == ""
    assert tries(world) == [{Cause.TILE: 1}]


def test_a_tile_without_company_is_charged_at_once(world):
    world.ask(TILES[0])
    sick = Sick(StepWorker(world, "w1"), GiveUp("a bad tile"))
    sick.work_on(sick.take(1))
    assert tries(world) == [{Cause.TILE: 1}]


def test_a_success_in_between_clears_the_worker(world):
    world.ask(*TILES[:4])
    worker = StepWorker(world, "w1")
    sick = Sick(worker, GiveUp("bad"), None, GiveUp("bad"), None)
    sick.work_on(sick.take(4))
    assert worker.parts.state.unfit == ""
    assert tries(world) == [{Cause.TILE: 1}] * 2


def test_a_machine_that_fails_its_self_test_after_a_tile_needs_no_second_one(world):
    world.ask(*TILES)
    worker = StepWorker(world, "w1")
    sick = Sick(worker, GiveUp("NaN"), selftest=WorkerUnfit("two results for one input"))
    sick.work_on(sick.take(4))
    assert sick.touched == 1
    assert "two results for one input" in worker.parts.state.unfit


def test_a_gpu_that_fails_by_name_touches_one_tile_however_many_are_ready(world):
    world.ask(*TILES)
    worker = StepWorker(world, "w1")
    sick = Sick(worker, *[WorkerUnfit("CUDA error: an illegal memory access was encountered")] * 6)
    works = sick.take(6)
    steps = worker.parts.steps
    for work in works:  # the inference thread is ahead of the thread that settles
        try:
            steps.infer(work)
        except Exception as error:  # noqa: BLE001 - as the pipeline does
            work.error = error
    assert sick.touched == 1
    for work in works:
        steps.settle(work)
    assert sorted(map(str, tries(world))) == sorted(map(str, [{Cause.WORKER: 1}] + [{}] * 5))


def test_a_dataset_whose_every_tile_fails_costs_two_workers_and_then_its_tiles(world):
    world.ask(*TILES)
    unfit = []
    for number in range(8):
        worker = StepWorker(world, f"w{number}")
        sick = Sick(worker, *[GiveUp("the network has no such layer")] * 12)
        while not worker.parts.state.unfit and (works := sick.take(4)):
            sick.work_on(works)
            world.now += 61
        unfit.append(bool(worker.parts.state.unfit))
        world.now += 61
    assert unfit[:2] == [True, True]
    assert not any(unfit[2:])
    assert world.depths() == (0, 0, len(TILES))  # all poison, by the usual rule


def test_a_dataset_is_asked_about_anew_after_an_hour(world):
    store = world.store
    assert [may_be_worker(store, "d", f"w{n}") for n in range(4)] == [True, True, False, False]
    assert may_be_worker(store, "other", "w5")
    world.now += WINDOW_SECONDS + 1
    assert [may_be_worker(store, "d", f"w{n}") for n in range(3)] == [True, True, False]


def test_workers_that_fall_at_the_same_moment_are_counted_one_after_the_other(world):
    """Between the one's request and its answer the other one asks."""
    answers = []

    def meanwhile(when, operation, _name):
        if (when, operation) == ("before", "create") and not answers:
            answers.append(may_be_worker(world.store, "d", "other"))

    worker = StepWorker(world, "w", meanwhile)
    store = worker.parts.receive.store
    assert may_be_worker(store, "d", "w")
    assert answers == [True]
    assert not may_be_worker(store, "d", "third")


def test_a_worker_that_hears_of_its_fall_at_the_second_try_is_counted_once(world):
    lost = []

    def lose_an_answer(when, operation, name):
        if (when, operation) == ("after", "create") and not lost:
            lost.append(name)
            with pytest.raises(AlreadyExists):  # the adapter's own second try
                world.store.create(name, world.store.read(name).data)
            raise AlreadyExists(name)

    store = StepWorker(world, "w", lose_an_answer).parts.receive.store
    assert may_be_worker(store, "d", "w")
    assert len(lost) == 1
    assert [may_be_worker(world.store, "d", worker) for worker in ("second", "third")] == [True, False]


@pytest.mark.parametrize("answer", [StorageUnavailable("away"), NotAllowed("403"), StorageError("400")])
def test_a_storage_that_does_not_tell_leaves_the_worker_under_suspicion(world, answer):
    def refuse(_when, _operation, name):
        if name.startswith("suspicions/"):
            raise answer

    world.ask(*TILES)
    worker = StepWorker(world, "w", refuse)
    sick = Sick(worker, GiveUp("NaN in block 3"), GiveUp("NaN in block 7"))
    sick.work_on(sick.take(4))
    assert "two tiles in a row" in worker.parts.state.unfit
    assert worker.parts.state.in_hand() == []
