"""Machines without processes report as workers do: once booted, while they run, and as they are told to."""

from __future__ import annotations

import pytest

from contract.blob_stores.simulated import SimulatedBlobStore
from contract.drain import request_drain
from contract.heartbeat import WorkerState, read_heartbeats
from tests.unit.laptop_cloud.resource_manager_rig import GROUP, Rig


@pytest.fixture
def rig():
    rig = Rig()
    rig.running("a-0001", "a-0002")
    rig.wait(60)
    return rig


@pytest.fixture
def store():
    return SimulatedBlobStore()


def reported(store):
    return {seen.heartbeat.vm: seen.heartbeat for seen in read_heartbeats(store).seen}


def test_a_machine_is_heard_once_its_boot_is_over(store):
    rig = Rig()
    rig.running("a-0001")
    assert rig.hollow.report(store) == 0
    rig.wait(60)
    assert rig.hollow.report(store) == 1
    assert reported(store)["a-0001"].state is WorkerState.IDLE


def test_a_machine_that_is_off_is_heard_no_more_and_comes_back_with_another_boot(rig, store):
    rig.hollow.report(store)
    before = reported(store)["a-0001"].boot_id
    rig.compute.evict("a-0001", GROUP, None)
    rig.wait(30)
    assert rig.hollow.report(store) == 1
    rig.compute.start("a-0001", GROUP)
    rig.wait(60)
    rig.wait(60)
    assert rig.hollow.report(store) == 2
    assert reported(store)["a-0001"].boot_id != before


def test_it_holds_tiles_only_when_told_and_leaves_when_it_is_drained(rig, store):
    rig.hollow.hold("a-0001", 3)
    rig.hollow.hold("a-0002", 1)
    request_drain(store, "a-0002", reason="enough")
    rig.hollow.report(store)
    first, second = reported(store)["a-0001"], reported(store)["a-0002"]
    assert (first.state, first.held_count) == (WorkerState.WORKING, 3)
    assert (second.state, second.held_count) == (WorkerState.LEAVING, 0)


def test_it_is_unfit_until_it_is_started_again(rig, store):
    rig.hollow.sicken("a-0001", "bad memory")
    rig.hollow.report(store)
    heard = reported(store)["a-0001"]
    assert (heard.state, heard.reason) == (WorkerState.UNFIT, "bad memory")
    rig.compute.restart("a-0001", GROUP)
    rig.wait(60)
    rig.wait(60)
    rig.hollow.report(store)
    assert reported(store)["a-0001"].state is WorkerState.IDLE


def test_one_that_fell_silent_runs_and_says_nothing(rig, store):
    rig.hollow.fall_silent("a-0001")
    assert rig.hollow.report(store) == 1
    assert rig.power("a-0001") == "running"
