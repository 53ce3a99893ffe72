"""Leases of one worker: renewed in time, lost, stuck, and never in the way of anything else."""

from __future__ import annotations

import threading
import time

import pytest

from consumer.lease import LeaseKeeper
from consumer.work import Stage, Work
from contract.errors import LeaseLost, StorageUnavailable
from contract.fleet_queues import FleetQueues
from contract.simulated_faults import no_fault
from contract.tile_id import GridCell
from contract.tile_message import TileMessage
from contract.tile_queues.simulated import SimulatedQueues

LIMIT_SECONDS = 50.0


class Leases:
    """A keeper over simulated queues; the keeper's own clock is the machine's."""

    def __init__(self, fault=no_fault):
        self.now = 1_000_000.0
        self.account = SimulatedQueues(lambda: self.now)
        self.queues = FleetQueues(*(self.account.queue(name, fault) for name in ("a", "b", "c")))
        self.plain = self.account.queue("a")
        self.queues.ensure()
        self.stuck: list[str] = []
        limits = {Stage.INFER: LIMIT_SECONDS}
        self.keeper = LeaseKeeper(
            self.queues,
            lease_seconds=90,
            limit_seconds=lambda stage: limits.get(stage, float("inf")),
            on_stuck=lambda work, reason: self.stuck.append(reason),
        )

    def hold(self) -> Work:
        message = TileMessage("job-1", "dataset-1", GridCell(541, -46))
        self.plain.send(message.encode())
        (held,) = self.plain.receive(1, 90)
        work = Work(message=message, held=held)
        self.keeper.hold(work)
        return work

    def is_ours(self, work: Work) -> bool:
        """Whether the keeper's receipt is the newest."""
        try:
            self.plain.renew(work.held, 90)
        except LeaseLost:
            return False
        return True


def in_a_while(seconds: float) -> float:
    return time.monotonic() + seconds


def test_a_lease_is_renewed_after_a_third_of_its_length():
    leases = Leases()
    work = leases.hold()
    before = work.held.receipt
    leases.keeper.renew_due(in_a_while(20))
    assert work.held.receipt == before
    leases.keeper.renew_due(in_a_while(31))
    assert work.held.receipt != before
    assert leases.is_ours(work)


def test_a_tile_without_progress_is_given_up_and_its_attempt_ends_at_the_next_boundary():
    leases = Leases()
    work = leases.hold()
    work.enter(Stage.INFER)
    leases.keeper.renew_due(in_a_while(LIMIT_SECONDS - 15))
    assert leases.stuck == []
    leases.keeper.renew_due(in_a_while(LIMIT_SECONDS + 31))
    assert "no progress" in leases.stuck[0]
    assert leases.keeper.held() == []
    with pytest.raises(LeaseLost):
        work.report_progress(0.5)


@pytest.mark.parametrize(
    ("share", "is_stuck"), [(0.6, False), (0.5, True), (0.1, True), (float("nan"), True)]
)
def test_only_progress_that_moves_forward_keeps_a_lease(share, is_stuck):
    leases = Leases()
    work = leases.hold()
    work.enter(Stage.INFER)
    work.report_progress(0.5)
    work.last_progress -= LIMIT_SECONDS + 1
    work.report_progress(share)
    leases.keeper.renew_due(in_a_while(31))
    assert bool(leases.stuck) is is_stuck


def test_waiting_for_hours_is_no_lack_of_progress_of_the_stage_that_follows():
    leases = Leases()
    work = leases.hold()
    work.enter(Stage.READY)
    work.last_progress -= 7200
    leases.keeper.renew_due(in_a_while(31))
    work.enter(Stage.INFER)
    leases.keeper.renew_due(in_a_while(31))
    assert leases.stuck == []


def test_a_lease_that_somebody_else_has_ends_the_attempt():
    leases = Leases()
    work = leases.hold()
    leases.now += 91
    (theirs,) = leases.plain.receive(1, 90)
    leases.keeper.renew_due(in_a_while(31))
    assert isinstance(work.stop_reason, LeaseLost)
    assert leases.keeper.held() == []
    leases.plain.complete(theirs)


def test_a_storage_that_is_away_is_asked_again_and_costs_no_lease():
    is_away = threading.Event()

    def fault(when, operation, _name):
        if is_away.is_set() and (when, operation) == ("before", "renew"):
            raise StorageUnavailable("away")

    leases = Leases(fault)
    work = leases.hold()
    is_away.set()
    leases.keeper.renew_due(in_a_while(31))
    assert leases.keeper.held() == [work]
    is_away.clear()
    leases.keeper.renew_due(in_a_while(34))
    assert leases.is_ours(work)


def test_nobody_waits_for_a_renewal_that_hangs_but_the_one_who_needs_its_receipt():
    hangs, go_on = threading.Event(), threading.Event()

    def fault(when, operation, _name):
        if (when, operation) == (
            "after",
            "renew",
        ) and threading.current_thread() is not threading.main_thread():
            hangs.set()
            assert go_on.wait(20)

    leases = Leases(fault)
    slow = leases.hold()
    renewing = threading.Thread(target=leases.keeper.renew_due, args=(in_a_while(31),))
    renewing.start()
    assert hangs.wait(20)
    other = leases.hold()  # while the storage does not answer:
    assert leases.keeper.held() == [slow, other]
    leases.keeper.release(other)
    released = []
    needs_it = threading.Thread(target=lambda: released.append(leases.keeper.release(slow)))
    needs_it.start()
    needs_it.join(0.2)
    assert released == []
    go_on.set()
    for thread in (renewing, needs_it):
        thread.join(20)
    leases.plain.complete(released[0])  # the newest receipt


def test_what_was_released_is_never_renewed_again():
    leases = Leases()
    work = leases.hold()
    receipt = leases.keeper.release(work)
    leases.keeper.renew_due(in_a_while(31))
    assert leases.keeper.release(work) == receipt
    with pytest.raises(LeaseLost):
        leases.keeper.renew_now(work)
    leases.plain.complete(receipt)
