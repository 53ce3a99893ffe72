"""Rates and times left, from commit times alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fleetctl.campaign.progress import measure_progress, tiles_per_hour

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def minutes_ago(*minutes: float) -> list[datetime]:
    return [NOW - timedelta(minutes=count) for count in minutes]


def test_a_young_job_is_measured_from_its_first_commit():
    # 4 commits within 30 minutes: three intervals in half an hour.
    assert tiles_per_hour(minutes_ago(30, 20, 10, 0), NOW) == pytest.approx(6)


def test_an_old_job_is_measured_over_the_last_hour_only():
    long_ago = minutes_ago(*range(61, 600))
    assert tiles_per_hour(long_ago + minutes_ago(50, 10), NOW) == pytest.approx(2)


@pytest.mark.parametrize("times", [[], minutes_ago(5), minutes_ago(200, 100), minutes_ago(0, 0)])
def test_too_few_commits_give_no_rate(times: list[datetime]):
    assert tiles_per_hour(times, NOW) is None


def test_a_young_job_slows_down_while_nothing_is_committed():
    at_once = tiles_per_hour(minutes_ago(10, 5, 1), NOW)
    later = tiles_per_hour(minutes_ago(10, 5, 1), NOW + timedelta(minutes=20))
    assert at_once is not None
    assert later is not None
    assert later < at_once


def test_the_time_left_follows_from_what_was_asked():
    progress = measure_progress(asked=10, empty=1, poison=1, committed_at=minutes_ago(30, 20, 10, 0), now=NOW)
    assert (progress.committed, progress.left) == (4, 5)
    assert progress.seconds_left == pytest.approx(5 / 6 * 3600)
    assert not progress.is_complete


def test_a_complete_job_has_no_time_left_whatever_its_rate():
    progress = measure_progress(asked=2, empty=0, poison=1, committed_at=minutes_ago(300), now=NOW)
    assert progress.is_complete
    assert progress.seconds_left == 0


def test_a_complete_job_keeps_the_rate_that_it_ended_with():
    for waited_minutes in (0, 30, 3000):
        now = NOW + timedelta(minutes=waited_minutes)
        progress = measure_progress(asked=3, empty=0, poison=0, committed_at=minutes_ago(20, 10, 0), now=now)
        assert progress.tiles_per_hour == pytest.approx(6)


def test_a_job_without_a_rate_promises_nothing():
    progress = measure_progress(asked=5, empty=0, poison=0, committed_at=[], now=NOW)
    assert progress.seconds_left is None
