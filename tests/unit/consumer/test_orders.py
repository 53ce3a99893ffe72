"""Which of several reasons to go is obeyed, and how one process tells it to another."""

from __future__ import annotations

import time
from threading import Event, Thread

import pytest

from consumer.departure import Departure, decode_departure, soonest
from consumer.leaving import HAND_BACK_SECONDS
from consumer.notices.drain_request import DrainRequest
from consumer.notices.halt_file import HaltFile, write_halt_file
from consumer.orders import Orders
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.drain import request_drain
from contract.errors import StorageUnavailable
from tests.fleet_rig import wait_for

DRAIN = Departure("drain", None, is_eviction=False)
SIGTERM = Departure("SIGTERM", 100.0, is_eviction=False)
REBOOT = Departure("Reboot", 900.0, is_eviction=True)
PREEMPT = Departure("Preempt", 130.0, is_eviction=True)


@pytest.mark.parametrize(
    ("told", "obeyed"),
    [
        ([None, None], None),
        ([DRAIN, None], DRAIN),
        ([DRAIN, SIGTERM], SIGTERM),
        ([SIGTERM, REBOOT], REBOOT),
        ([REBOOT, PREEMPT], PREEMPT),
        ([DRAIN, SIGTERM, REBOOT, PREEMPT], PREEMPT),
    ],
)
def test_an_eviction_goes_first_then_the_nearest_deadline(told, obeyed):
    assert soonest(told) == obeyed
    assert soonest(reversed(told)) == obeyed


@pytest.mark.parametrize("departure", [DRAIN, SIGTERM, PREEMPT])
def test_a_departure_is_the_same_after_its_way_through_a_halt_file(tmp_path, departure):
    path = tmp_path / "halt.txt"
    write_halt_file(path, departure)
    assert HaltFile(path, 25).look() == departure
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"now!", b"\xff", b"[]", b"{}", b'{"monotonic_deadline": "soon"}', b'{"drain": "no"}'),
        *(b'{"monotonic_deadline": 1e999}', b'{"monotonic_deadline": 1%b}' % (b"0" * 400)),
    ],
)
def test_a_file_that_says_nothing_readable_is_an_eviction_with_ones_own_grace(data):
    assert decode_departure(data, 77.0) == Departure("halt file", 77.0, is_eviction=True)


def test_a_person_asks_for_a_drain_in_one_line():
    assert decode_departure(b'{"drain": true}\n', 77.0) == DRAIN


def test_the_grace_of_a_touched_file_counts_from_its_first_sight(tmp_path):
    halt = HaltFile(tmp_path / "halt.txt", 25)
    assert halt.look() is None
    (tmp_path / "halt.txt").touch()
    assert halt.look() is None  # it may still be written to
    wait_for(lambda: halt.look() is not None, "the file to be believed", 10)
    first = halt.look()
    assert first.deadline == pytest.approx(time.monotonic() + 25, abs=5)
    assert halt.look() == first


def test_a_file_that_was_taken_away_again_shortens_no_later_grace(tmp_path):
    path = tmp_path / "halt.txt"
    halt = HaltFile(path, 25)
    path.touch()
    assert halt.look() is None
    path.unlink()
    assert halt.look() is None
    path.write_bytes(b"now")
    seen_at = time.monotonic()
    assert halt.look().deadline >= seen_at + 25


def test_a_full_disk_still_tells_of_an_eviction_but_makes_none_of_a_drain(tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    write_halt_file(tmp_path / "halt.txt", PREEMPT)
    halt = HaltFile(tmp_path / "halt.txt", 25)
    wait_for(lambda: halt.look() is not None, "the empty file to be believed", 10)
    assert halt.look().is_eviction
    with pytest.raises(OSError, match="space"):
        write_halt_file(tmp_path / "drain.txt", DRAIN)


def test_what_stands_gives_way_only_to_what_is_more_urgent():
    told = [DRAIN]
    orders = Orders([lambda: told[-1]])
    assert orders.look() == DRAIN
    assert orders.latest_end() is None
    told.append(PREEMPT)
    assert orders.look() == PREEMPT
    assert orders.add(SIGTERM) == PREEMPT
    told.append(None)
    assert orders.look() == PREEMPT


def test_however_short_the_notice_there_is_time_to_hand_back():
    orders = Orders([lambda: Departure("gone already", time.monotonic() - 100, is_eviction=True)])
    assert orders.latest_end() == pytest.approx(time.monotonic() + HAND_BACK_SECONDS, abs=4)
    time_of_end = orders.latest_end()
    assert orders.latest_end() == time_of_end  # it does not move on while it is looked at


class Flaky(SimulatedBlobStore):
    """Away at first."""

    looks = 0

    def info(self, name):
        self.looks += 1
        if self.looks == 1:
            raise StorageUnavailable("away")
        return super().info(name)


def test_a_drain_of_this_machine_is_heard_through_the_storage():
    container = SimulatedContainer()
    store = Flaky(container)
    request = DrainRequest(store, "uk-west-3", heartbeat_seconds=0.005)
    stop = Event()
    thread = Thread(target=request.run, args=(stop,), daemon=True)
    thread.start()
    request_drain(store, "uk-west-4", reason="another one")
    wait_for(lambda: store.looks > 3, "looks", 10)
    assert request.look() is None
    request_drain(store, "uk-west-3", reason="by a test")
    wait_for(lambda: request.look() is not None, "the drain", 10)
    assert request.look() == DRAIN
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
