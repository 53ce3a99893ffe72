"""Power states: what may follow what, also when two ask at once."""

from __future__ import annotations

import threading

import pytest

from laptop_cloud.machines.power import AT_REST, OFF, NotNow, Power, PowerState


@pytest.fixture
def power():
    return Power("vm-1")


def start(power):
    with power.moving(OFF, PowerState.STARTING, PowerState.RUNNING):
        pass


def test_a_vm_is_deallocated_until_it_is_started(power):
    assert power.state == PowerState.DEALLOCATED
    start(power)
    assert power.state == PowerState.RUNNING


def test_a_running_vm_cannot_be_started(power):
    start(power)
    with pytest.raises(
        NotNow, match="vm-1 is running: to be running it must be deallocated or stopped first"
    ):
        start(power)


def test_a_change_that_fails_leaves_the_state_as_it_was(power):
    def fail():
        with power.moving(OFF, PowerState.STARTING, PowerState.RUNNING):
            raise OSError("no such program")

    with pytest.raises(OSError, match="no such program"):
        fail()
    assert power.state == PowerState.DEALLOCATED


def test_while_one_change_is_under_way_another_is_refused_and_its_end_can_be_awaited(power):
    inside, go_on = threading.Event(), threading.Event()

    def slowly():
        with power.moving(OFF, PowerState.STARTING, PowerState.RUNNING):
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=slowly)
    thread.start()
    assert inside.wait(10)
    assert power.state == PowerState.STARTING
    assert not power.await_rest(0)
    with (
        pytest.raises(NotNow, match="vm-1 is starting"),
        power.moving(AT_REST, PowerState.DEALLOCATING, PowerState.DEALLOCATED),
    ):
        pass
    go_on.set()
    assert power.await_rest(10)
    thread.join()
    assert power.state == PowerState.RUNNING
