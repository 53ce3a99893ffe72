"""Which slots are started again, and what their ends come to."""

import signal

import pytest

from consumer.exit_codes import ExitCode
from consumer.notices.signals import EXIT_AT_ONCE
from consumer.slot_deaths import (
    DEATHS_WINDOW_SECONDS,
    SEVERITY,
    TOLD_TWICE,
    Restart,
    StayDown,
    describe,
    judge_death,
    worst,
)


@pytest.mark.parametrize("status", [ExitCode.FAULT, ExitCode.STUCK, -signal.SIGKILL, -signal.SIGSEGV, 3])
def test_a_fault_is_started_again_with_growing_pauses_and_the_third_stays_down(status):
    first, second = judge_death(status, [], 1000.0), judge_death(status, [995.0], 1000.0)
    assert isinstance(first, Restart)
    assert isinstance(second, Restart)
    assert 0 < first.pause_seconds < second.pause_seconds
    third = judge_death(status, [990.0, 995.0], 1000.0)
    assert isinstance(third, StayDown)
    assert third.is_fault
    assert "death 3 within 10 minutes" in third.reason


def test_deaths_of_long_ago_are_forgotten():
    long_ago = [0.0, 1.0, 2.0]
    assert isinstance(judge_death(-signal.SIGKILL, long_ago, 2.0 + DEATHS_WINDOW_SECONDS), Restart)


@pytest.mark.parametrize(
    ("status", "is_fault"),
    [
        (ExitCode.DONE, False),
        (ExitCode.EVICTED, False),
        (ExitCode.UNFIT, True),
        (ExitCode.BAD_INPUT, True),
        (TOLD_TWICE, False),
    ],
)
def test_an_end_that_a_new_start_would_repeat_is_final(status, is_fault):
    judged = judge_death(status, [], 0.0)
    assert isinstance(judged, StayDown)
    assert judged.is_fault is is_fault


def test_the_gravest_end_is_the_supervisors():
    assert worst([0, ExitCode.EVICTED, -signal.SIGKILL, ExitCode.UNFIT]) is ExitCode.UNFIT
    assert worst([0, ExitCode.EVICTED, -signal.SIGKILL]) is ExitCode.FAULT
    assert worst([0, ExitCode.EVICTED]) is ExitCode.EVICTED
    assert worst([]) is ExitCode.DONE
    assert set(SEVERITY) == set(ExitCode)


def test_a_status_is_named_for_a_person():
    assert describe(-signal.SIGKILL) == "SIGKILL"
    assert describe(21) == "unfit (21)"
    assert describe(130) == "status 130"
    assert describe(-200) == "signal 200"


def test_the_supervisor_knows_the_status_of_a_slot_that_was_told_twice():
    assert TOLD_TWICE == EXIT_AT_ONCE
