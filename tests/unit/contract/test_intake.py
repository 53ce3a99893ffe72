"""The wish that nobody takes tiles: kept while it is said again, forgotten when its controller is silent."""

from __future__ import annotations

import pytest

from consumer.intake import IntakeWatch
from contract.artifact_names import INTAKE_PAUSE
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.intake import HOLDS_SECONDS, IntakePause, pause_intake, read_intake_pause, resume_intake


class Moment:
    now = 1_700_000_000.0


@pytest.fixture
def moment():
    return Moment()


@pytest.fixture
def store(moment):
    return SimulatedBlobStore(SimulatedContainer(lambda: moment.now))


def test_a_pause_reads_as_it_was_said_and_ends_when_it_is_withdrawn(store):
    pause = IntakePause("the catalogue is down", frozenset({"uk-a10-0001"}))
    pause_intake(store, pause)
    assert read_intake_pause(store) == pause
    resume_intake(store)
    resume_intake(store)
    assert read_intake_pause(store) is None


def test_a_pause_that_nobody_says_again_holds_nobody(store, moment):
    pause_intake(store, IntakePause("the catalogue is down"))
    moment.now += HOLDS_SECONDS + 1
    assert read_intake_pause(store) is None


@pytest.mark.parametrize("data", [b"", b"[]", b'{"v":2,"probes":[]}', b'{"v":1,"probes":"all"}'])
def test_a_pause_that_cannot_be_read_holds_nobody(store, data):
    store.put(INTAKE_PAUSE, data)
    assert read_intake_pause(store) is None


def test_probes_take_one_tile_at_a_time_and_the_others_none(store):
    probe, other = IntakeWatch(store, "uk-a10-0001"), IntakeWatch(store, "uk-a10-0002")
    pause_intake(store, IntakePause("the catalogue is down", frozenset({"uk-a10-0001"})))
    for watch in (probe, other):
        watch.look()
    assert probe.room(4, 0) == 1
    assert probe.room(4, 1) == 0
    assert other.room(4, 0) == 0
    resume_intake(store)
    other.look()
    assert other.room(4, 0) == 4
