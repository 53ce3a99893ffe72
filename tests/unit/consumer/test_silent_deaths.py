"""Who is charged for an attempt that never reported its end: the rule, and a worker's real parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.outcome import Delivery, Evidence, Poison, begun, judge_delivery
from contract import artifact_names
from contract.errors import StorageUnavailable
from contract.eviction import record_eviction
from contract.outcomes import Cause
from contract.tile_id import GridCell
from contract.tile_message import TileMessage, decode_message
from tests.unit.consumer.worker_rig import TILE, StepWorker, World

MESSAGE = TileMessage(job="isle-of-man-2024-00000000", dataset="toy-2024-00000000", tile=GridCell(541, -46))
TAKEN = Evidence(eviction="supervisor: Preempt")
FURTHER = Evidence(checkpoint="checkpoints/d/t/g1/a1/000003")


def marked(message: TileMessage = MESSAGE, *, is_solo: bool = False) -> TileMessage:
    return begun(message, attempt="a1", worker="w1", vm="vm-1", boot_id="b1", is_solo=is_solo)


def deaths(message: TileMessage) -> int:
    return message.tries.get(Cause.SILENT_DEATH, 0)


def test_an_attempt_that_had_not_begun_is_not_charged():
    known = judge_delivery(MESSAGE, 2).message
    assert (deaths(known), known.fruitless, known.returns) == (0, 1, 1)


def test_an_attempt_that_had_begun_is_charged():
    known = judge_delivery(marked(), 2).message
    assert (deaths(known), known.fruitless, known.begun) == (1, 1, None)
    assert [(past.attempt, past.worker, past.cause) for past in known.past] == [
        ("a1", "w1", Cause.SILENT_DEATH)
    ]


def test_an_eviction_explains_a_silence():
    known = judge_delivery(marked(is_solo=True), 2, TAKEN).message
    assert (deaths(known), known.solo_deaths, known.tries) == (0, 0, {Cause.EVICTED: 1})


def test_a_newer_checkpoint_explains_a_silence_and_is_hinted_at():
    known = judge_delivery(marked(is_solo=True), 2, FURTHER).message
    assert (deaths(known), known.solo_deaths, known.fruitless) == (0, 0, 0)
    assert known.checkpoint == FURTHER.checkpoint


def test_a_checkpoint_that_the_message_knew_already_explains_nothing():
    known = judge_delivery(marked(replace(MESSAGE, checkpoint=FURTHER.checkpoint)), 2, FURTHER).message
    assert deaths(known) == 1


def test_a_mark_without_an_unreported_delivery_tells_nothing():
    """Such as a message that a person put back by hand."""
    known = judge_delivery(marked(), 1).message
    assert (deaths(known), known.fruitless, known.begun) == (0, 0, None)


@pytest.mark.parametrize(("charged", "is_solo"), [(0, False), (1, False), (2, True), (9, True)])
def test_from_the_second_charged_death_on_a_tile_runs_alone(charged, is_solo):
    delivery = judge_delivery(replace(MESSAGE, tries={Cause.SILENT_DEATH: charged} if charged else {}), 1)
    assert isinstance(delivery, Delivery)
    assert delivery.is_solo is is_solo


def test_only_deaths_alone_are_solo_deaths_and_the_third_is_poison():
    message, count = MESSAGE, 1
    for number in range(5):
        delivery = judge_delivery(message, count)
        assert isinstance(delivery, Delivery), number
        assert delivery.is_solo is (number >= 2)
        message = marked(delivery.message, is_solo=delivery.is_solo)
        count += 1
    verdict = judge_delivery(message, count)
    assert isinstance(verdict, Poison)
    assert verdict.reason == "kills its worker: 3 workers died while it ran alone"


def test_a_tile_that_kills_every_worker_before_it_is_prepared_ends_all_the_same():
    assert isinstance(judge_delivery(MESSAGE, 30), Delivery)
    verdict = judge_delivery(MESSAGE, 31)
    assert isinstance(verdict, Poison)
    assert "no progress" in verdict.reason


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def die_begun(world, name="dead", fault=None):
    """A worker that vanishes with a tile that it has prepared."""
    worker = StepWorker(world, name, fault) if fault else StepWorker(world, name)
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    world.now += 91
    return worker, work


def on_the_wire(world):
    (held,) = world.queues.tiles.receive(1, 1)
    world.now += 2
    return decode_message(held.body)


def test_whoever_begins_says_so_on_the_message(world):
    world.ask()
    worker, work = die_begun(world)
    mark = on_the_wire(world).begun
    identity = worker.parts.steps.prepare.identity
    assert (mark.attempt, mark.worker, mark.vm, mark.boot_id, mark.is_solo) == (
        work.attempt,
        "dead",
        identity.vm,
        identity.boot_id,
        False,
    )


def test_every_end_that_is_reported_takes_the_mark_back(world):
    world.ask()
    worker = StepWorker(world, "w")
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    work.error = StorageUnavailable("away")
    worker.parts.steps.settle(work)
    world.now += 31
    message = on_the_wire(world)
    assert message.begun is None
    assert message.tries == {Cause.SOURCE: 1}


def test_a_machine_that_was_taken_away_charges_no_tile(world):
    world.ask()
    worker, _ = die_begun(world)
    identity = worker.parts.steps.prepare.identity
    record_eviction(world.store, identity.vm, identity.boot_id, seen_by="controller", reason="deallocated")
    (work,) = StepWorker(world, "next").receive()
    assert work.message.tries == {Cause.EVICTED: 1}


def test_a_checkpoint_that_the_dead_left_charges_no_tile(world):
    job = world.ask()
    _, dead = die_begun(world)
    name = artifact_names.checkpoint(job.dataset, TILE, 1, dead.attempt, 7)
    world.store.put(name, b"seven blocks")
    (work,) = StepWorker(world, "next").receive()
    assert (work.message.tries, work.message.checkpoint) == ({}, name)


def test_what_the_storage_would_not_tell_is_asked_again_and_meanwhile_nobody_is_charged(world):
    world.ask()
    worker, _ = die_begun(world)
    identity = worker.parts.steps.prepare.identity

    def away(_when, _operation, name):
        if name.startswith("evictions/"):
            raise StorageUnavailable("away")

    for number in range(40):
        assert StepWorker(world, f"blind{number}", away).receive() == []
        world.now += 31
    record_eviction(world.store, identity.vm, identity.boot_id, seen_by="controller", reason="deallocated")
    (work,) = StepWorker(world, "next").receive()
    assert work.message.tries == {Cause.EVICTED: 1}
    assert work.message.fruitless == 1


def test_a_mark_that_cannot_be_written_keeps_no_tile_from_its_work_but_a_suspect(world):
    def away(when, operation, _name):
        if (when, operation) == ("before", "renew"):
            raise StorageUnavailable("away")

    world.ask()
    worker = StepWorker(world, "w", away)
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    assert work.prepared is not None
    work.is_solo = True
    with pytest.raises(StorageUnavailable):
        worker.parts.steps.prepare(work)
