"""Which checkpoint a worker goes on from, and what it passes over: its real parts, threads only for uploads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract import artifact_names
from contract.errors import StorageUnavailable
from contract.tile_message import decode_message
from tests.unit.consumer.checkpoint_rig import (
    BLOCKS,
    ask,
    assert_as_undisturbed,
    checkpoints_of,
    complete,
    finish,
    infer,
    interrupt,
    stop_after,
    take,
)
from tests.unit.consumer.worker_rig import TILE, StepWorker, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_an_evicted_tile_is_gone_on_from_and_its_checkpoints_are_deleted_after_the_commit(world):
    job = ask(world)
    evicted = interrupt(world, "w1", blocks=4)
    assert checkpoints_of(world, job) == [f"{evicted.attempt}/000004"]
    work = complete(world)
    assert work.commit.done["resumed_blocks"] == 4
    assert work.commit.done["blocks"] == BLOCKS
    assert_as_undisturbed(world, job)
    assert checkpoints_of(world, job) == []
    assert world.depths() == (0, 0, 0)


def test_what_is_left_of_a_resumed_tile_is_no_measure_of_a_whole_one(world):
    ask(world)
    interrupt(world, "w1", blocks=4)
    worker = StepWorker(world, "w2")
    finish(worker, take(worker))
    assert worker.parts.state.expected_infer_seconds() is None


def test_the_longest_of_several_attempts_is_taken_whatever_the_hint_says(world):
    job = ask(world)
    long, short = StepWorker(world, "long"), StepWorker(world, "short")
    first = take(long)
    world.now += 100  # its lease runs out: both work on it
    second = take(short)
    for worker, work, blocks in ((long, first, 5), (short, second, 2)):
        stop_after(work, blocks)
        infer(worker, work)
        worker.parts.checkpoints.save(work)
    short.parts.steps.settle(second)
    assert complete(world).commit.done["resumed_blocks"] == 5
    assert_as_undisturbed(world, job)
    assert checkpoints_of(world, job) == []


def test_a_killed_worker_leaves_what_it_saved_by_the_clock_and_no_hint_is_needed(world):
    job = ask(world)
    worker = StepWorker(world, "killed")
    work = take(worker)
    stop_after(work, 2)
    infer(worker, work)
    worker.parts.checkpoints.save(work)
    world.now += 100
    assert complete(world).commit.done["resumed_blocks"] == 2
    assert_as_undisturbed(world, job)


@pytest.mark.parametrize("damage", ["short", "flipped", "empty", "other text", "header"])
def test_a_torn_checkpoint_is_passed_over_for_the_one_before_it(world, damage):
    job = ask(world)
    first = interrupt(world, "w1", blocks=2)
    second = interrupt(world, "w2", blocks=4)
    name = artifact_names.checkpoint(job.dataset, TILE, 1, second.attempt, 4)
    data = world.store.read(name).data
    torn = {
        "short": data[:-1],
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "empty": b"",
        "other text": b"hello " * 100,
        "header": data.replace(b'"blocks":[2', b'"blocks":[3', 1),
    }
    assert torn[damage] != data
    world.store.put(name, torn[damage])
    work = complete(world)
    assert work.error is None
    assert work.commit.done["resumed_blocks"] == 2
    assert first.attempt != second.attempt
    assert_as_undisturbed(world, job)


def test_with_its_first_part_gone_a_checkpoint_is_worth_nothing(world):
    job = ask(world)
    first = interrupt(world, "w1", blocks=2)
    interrupt(world, "w2", blocks=4)
    world.store.delete(artifact_names.checkpoint(job.dataset, TILE, 1, first.attempt, 2))
    assert complete(world).commit.done["resumed_blocks"] == 0
    assert_as_undisturbed(world, job)


def test_a_checkpoint_of_another_fingerprint_is_passed_over(world):
    job = ask(world)
    interrupt(world, "w1", blocks=4)
    worker = StepWorker(world, "w2")
    (work,) = worker.receive()
    worker.parts.steps.download(work)
    recipe = work.recipe
    recipe.fingerprint = lambda: {"dataset": job.dataset, "blocks": "6", "device class": "another GPU"}
    worker.parts.steps.prepare(work)
    assert work.blocks.restored == 0
    finish(worker, work)
    assert work.commit.done["resumed_blocks"] == 0
    assert_as_undisturbed(world, job)


def test_checkpoints_of_an_older_generation_are_not_looked_at(world):
    job = ask(world)
    interrupt(world, "w1", blocks=4)
    (held,) = world.queues.urgent.receive(1, 30)
    world.queues.urgent.complete(held)
    world.queues.tiles.send(replace(decode_message(held.body), generation=2).encode())
    assert complete(world).commit.done["resumed_blocks"] == 0
    assert len(checkpoints_of(world, job)) == 1  # of generation 1: cleared by the rule of the container


def test_a_checkpoint_that_does_not_arrive_as_it_was_stored_is_passed_over(world):
    """The adapter compares the bytes with the stored MD5, and says "unavailable" when they differ."""
    job = ask(world)
    interrupt(world, "w1", blocks=4)

    def damaged(moment, operation, name):
        if operation == "download" and name.startswith("checkpoints/"):
            raise StorageUnavailable("MD5 differs; try again")

    worker = StepWorker(world, "w2", fault=damaged)
    work = finish(worker, take(worker))
    assert work.commit.done["resumed_blocks"] == 0
    assert_as_undisturbed(world, job)


@pytest.mark.parametrize("answer", [None, TypeError("5 is not iterable")])
def test_inputs_that_are_gone_or_make_no_sense_are_no_error_of_the_tile(world, answer):
    job = ask(world)
    interrupt(world, "w1", blocks=4)
    worker = StepWorker(world, "w2")
    (work,) = worker.receive()
    recipe = worker.parts.steps.download.datasets.recipe(work.message, job.settings)

    def plan_like(plan, inputs):
        if answer is not None:
            raise answer

    recipe.plan_like = plan_like
    worker.parts.steps.fetch(work)
    assert work.blocks.restored == 0
    finish(worker, work)
    assert_as_undisturbed(world, job)
