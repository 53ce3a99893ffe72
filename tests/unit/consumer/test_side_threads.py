"""The threads beside a worker's pipeline: which deaths end the worker, and which do not."""

from __future__ import annotations

import threading

from consumer.side_threads import SideThreads

LIMIT_SECONDS = 20


def test_a_thread_that_the_work_needs_tells_of_its_death():
    deaths, told = [], threading.Event()

    def die(_stop):
        raise RuntimeError("out of the blue")

    side = SideThreads(lambda error: (deaths.append(error), told.set()))
    side.start("leases", die)
    assert told.wait(LIMIT_SECONDS)
    assert str(deaths[0]) == "out of the blue"


def test_a_watch_that_fails_begins_anew_and_ends_nobody():
    deaths, lives, works = [], [], threading.Event()

    def fail_twice(stop):
        lives.append(1)
        if len(lives) < 3:
            raise RuntimeError("a record that nobody foresaw")
        works.set()
        stop.wait()

    stop = threading.Event()
    side = SideThreads(deaths.append, begin_anew_seconds=0.01)
    side.start_watch("intake", fail_twice, stop)
    assert works.wait(LIMIT_SECONDS)
    stop.set()
    assert deaths == []


def test_a_watch_that_has_seen_enough_is_not_started_again():
    lives, deaths = [], []
    side = SideThreads(deaths.append, begin_anew_seconds=0.01)
    thread = side.start_watch("health", lambda _stop: lives.append(1), threading.Event())
    thread.join(LIMIT_SECONDS)
    assert (lives, deaths) == ([1], [])
