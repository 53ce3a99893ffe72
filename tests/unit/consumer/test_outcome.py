"""What an attempt's end means for its tile and its worker: tables of cases."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from consumer.outcome import (
    MAX_FRUITLESS_ATTEMPTS,
    SOURCE_PATIENCE_SECONDS,
    Delivery,
    Drop,
    Poison,
    Return,
    judge,
    judge_delivery,
    moved,
    source_pause_seconds,
)
from contract.errors import GiveUp, LeaseLost, Stopped, StorageUnavailable, TryLater, WorkerUnfit
from contract.outcomes import Cause
from contract.tile_id import GridCell
from contract.tile_message import TileMessage, decode_message

MESSAGE = TileMessage(job="isle-of-man-2024-00000000", dataset="toy-2024-00000000", tile=GridCell(541, -46))


def end(error, message=MESSAGE, worker="w1", is_evicted=False):
    return judge(error, message, attempt="a1", worker=worker, is_evicted=is_evicted)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Stopped("drained"), Cause.HANDED_BACK),
        (TryLater("503"), Cause.SOURCE),
        (StorageUnavailable("away"), Cause.SOURCE),
        (GiveUp("3 bands"), Cause.TILE),
        (ValueError("a bug"), Cause.TILE),
        (WorkerUnfit("ECC"), Cause.WORKER),
        (MemoryError(), Cause.WORKER),
        (OSError(errno.ENOSPC, "no space left"), Cause.WORKER),
        (PermissionError(errno.EACCES, "scratch is not ours"), Cause.WORKER),
        (OSError(errno.ENOENT, "no such file"), Cause.TILE),
        (SystemExit("a library called exit"), Cause.TILE),
    ],
)
def test_each_error_has_somebody_to_blame(error, cause):
    decision = end(error)
    assert isinstance(decision, Return)
    assert decision.cause is cause


def test_a_lost_lease_touches_nothing():
    assert isinstance(end(LeaseLost("somebody else has it")), Drop)


def test_interruptions_charge_nothing():
    message = MESSAGE
    for _ in range(50):
        decision = end(Stopped("evicted"), message, is_evicted=True)
        message = decision.message
    assert message.tries == {Cause.EVICTED: 50}
    assert Cause.TILE not in message.tries
    drained = end(Stopped("drained"))
    assert drained.message.tries == {}
    assert drained.pause_seconds == 0


def test_an_evicted_tile_goes_to_the_urgent_queue_a_drained_one_does_not():
    assert end(Stopped("evicted"), is_evicted=True).to_urgent
    assert not end(Stopped("drained"), is_evicted=False).to_urgent


def test_the_second_identical_tile_error_is_poison_whatever_numbers_it_names():
    first = end(GiveUp("band 3 of scene 17 is broken"))
    assert isinstance(first, Return)
    second = end(GiveUp("band 4 of scene 9 is broken"), first.message)
    assert isinstance(second, Poison)
    assert "2 times in the same way" in second.reason


def test_different_tile_errors_are_tried_longer_but_not_for_ever():
    message = MESSAGE
    for attempt, text in enumerate(["one", "two", "three", "four"]):
        decision = end(GiveUp(text), message)
        assert isinstance(decision, Return), attempt
        message = decision.message
    assert isinstance(end(GiveUp("five"), message), Poison)


def test_source_pauses_grow_and_end_after_days_not_tries():
    pauses = [source_pause_seconds(n) for n in range(1, 12)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (30, 3600)
    message, waited = MESSAGE, 0
    while isinstance(decision := end(TryLater("429"), message), Return):
        message, waited = decision.message, waited + decision.pause_seconds
        assert len(message.encode()) < 2048
    assert isinstance(decision, Poison)
    assert SOURCE_PATIENCE_SECONDS <= waited < SOURCE_PATIENCE_SECONDS + 3601


def test_the_third_worker_that_a_tile_harms_makes_the_tile_the_suspect():
    message = MESSAGE
    for worker in ("w1", "w2"):
        decision = end(WorkerUnfit("Xid 31"), message, worker=worker)
        assert isinstance(decision, Return)
        assert decision.worker_unfit == "Xid 31"
        message = decision.message
    same_again = end(WorkerUnfit("Xid 31"), message, worker="w2")
    assert isinstance(same_again, Return)
    third = end(WorkerUnfit("Xid 31"), message, worker="w3")
    assert isinstance(third, Poison)
    assert third.reason.startswith("harms workers")
    assert third.worker_unfit


def test_an_unfitness_before_the_recipe_was_opened_is_no_doing_of_the_tiles():
    decision = judge(
        WorkerUnfit("wrong weights"), MESSAGE, attempt="a", worker="w", is_evicted=False, is_opened=False
    )
    assert isinstance(decision, Return)
    assert decision.worker_unfit == "wrong weights"
    assert decision.message == replace(MESSAGE, returns=1)


def test_a_harmed_worker_is_remembered_however_many_attempts_follow():
    message = end(WorkerUnfit("Xid 31"), worker="w1").message
    for _ in range(8):
        message = end(Stopped("evicted"), message, is_evicted=True).message
    message = end(WorkerUnfit("Xid 31"), message, worker="w2").message
    assert decode_message(message.encode()).harmed == ("w1", "w2")
    poison = end(WorkerUnfit("Xid 31"), message, worker="w3")
    assert isinstance(poison, Poison)
    assert poison.message.harmed == ("w1", "w2", "w3")
    # Put back all the same, by a worker that had to leave at that moment.
    verdict = judge_delivery(decode_message(poison.message.encode()), 12)
    assert isinstance(verdict, Poison)
    assert verdict.reason == "harms workers: w1, w2, w3 became unfit with it"
    assert end(WorkerUnfit("Xid 31"), poison.message, worker="w4").message.harmed == ("w1", "w2", "w3")


def test_a_tile_that_never_gets_anywhere_is_poison_in_the_end():
    message = MESSAGE
    for _ in range(MAX_FRUITLESS_ATTEMPTS):
        assert isinstance(judge_delivery(message, message.returns + 1), Delivery)
        message = end(Stopped("evicted"), message, is_evicted=True).message
    verdict = judge_delivery(message, message.returns + 1)
    assert isinstance(verdict, Poison)
    assert verdict.reason == "no progress in 30 attempts"


@pytest.mark.parametrize("error", [TryLater("429"), StorageUnavailable("away"), Stopped("drained")])
def test_mere_delays_are_not_counted_as_attempts_without_progress(error):
    assert end(error).message.fruitless == 0


def test_a_newer_checkpoint_begins_the_count_of_fruitless_attempts_again():
    stuck = replace(MESSAGE, fruitless=29, checkpoint="checkpoints/d/t/g1/a/000012")
    assert stuck.reached("checkpoints/d/t/g1/b/000012") == stuck
    assert stuck.reached("") == stuck
    further = stuck.reached("checkpoints/d/t/g1/b/000013")
    assert (further.fruitless, further.checkpoint) == (0, "checkpoints/d/t/g1/b/000013")


def test_another_queue_counts_deliveries_anew_and_forgets_no_totals():
    before = replace(MESSAGE, returns=3, fruitless=2, tries={Cause.SILENT_DEATH: 2}, solo_deaths=1)
    there = moved(end(Stopped("evicted"), before, is_evicted=True).message)
    assert there.returns == 0
    assert there.tries == {Cause.SILENT_DEATH: 2, Cause.EVICTED: 1}
    assert (there.fruitless, there.solo_deaths) == (3, 1)
    assert judge_delivery(there, 1).message.fruitless == 3


@pytest.mark.parametrize("name", ["CPLE_AppDefinedError", "Größenfehler", "E" * 300, "a b<c>"])
def test_no_error_class_makes_a_message_that_the_next_worker_would_not_know(name):
    error = type(name, (Exception,), {})("x \udc80 y")
    message = MESSAGE
    for _ in range(4):
        message = end(error, message, worker="w" * 63).message
    assert decode_message(message.encode()) == message


def test_every_decision_is_a_message_that_can_travel():
    errors = [Stopped("x"), TryLater("y" * 5000), GiveUp("ä\u0001<&>" * 100), WorkerUnfit("z")]
    for error in errors:
        decision = end(error)
        assert decode_message(decision.message.encode()) == decision.message
