"""The end table's numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.outcomes import Outcome
from fleetctl.campaign.facts import TileFacts
from fleetctl.campaign.summary import percentile, summarise, worker_shares

JOB = "island-2024-1"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def tile(ended_after: float | None, infer: float = 2.0, worker: str = "w1", **changes: object) -> TileFacts:
    facts: dict[str, object] = {
        "job": JOB,
        "tile": "grid_0.05_0.05",
        "worker": worker,
        "outcome": Outcome.DONE if ended_after is not None else Outcome.EMPTY,
        "stage_seconds": {"download": 1.0} | ({"infer": infer} if ended_after is not None else {}),
        "downloaded_bytes": 10,
        "uploaded_bytes": 1,
        "committed": START + timedelta(seconds=(ended_after or 0) + 1),
        "began": START,
        "infer_ended": START + timedelta(seconds=ended_after) if ended_after is not None else None,
    }
    return TileFacts(**(facts | changes))


def test_the_first_inference_only_starts_the_clock():
    # Ends at 10, 12, 15: two inferences of 2 s in 5 s.
    (share,) = worker_shares([tile(10, infer=9), tile(15), tile(12)])
    assert share.share == pytest.approx(4 / 5)
    assert (share.tiles, share.busy_seconds, share.span_seconds) == (3, 4, 5)


def test_one_inference_is_no_share():
    (share,) = worker_shares([tile(10)])
    assert share.share is None
    assert summarise([tile(10)], job=JOB, asked=1, poison=0).busy_share is None


def test_workers_are_measured_apart_and_added_by_their_time():
    facts = [tile(0, worker="a"), tile(2, worker="a"), tile(100, worker="b"), tile(108, worker="b")]
    summary = summarise(facts, job=JOB, asked=4, poison=0)
    assert [(worker.worker, worker.share) for worker in summary.workers] == [("a", 1.0), ("b", 0.25)]
    assert summary.busy_share == pytest.approx(4 / 10)


def test_an_empty_tile_takes_no_part_in_inference():
    facts = [tile(0), tile(None), tile(3599)]
    summary = summarise(facts, job=JOB, asked=5, poison=1)
    assert summary.outcomes == {Outcome.DONE: 2, Outcome.EMPTY: 1, Outcome.POISON: 1}
    assert (summary.committed, summary.left) == (3, 1)
    assert {stage.stage: stage.tiles for stage in summary.stages} == {"download": 3, "infer": 2}
    assert summary.downloaded_bytes == 30
    assert summary.tiles_per_hour == pytest.approx(3)


def test_stages_come_in_the_order_of_a_tile_and_unknown_ones_last():
    facts = [tile(1, stage_seconds={"upload": 1.0, "zeta": 5.0, "infer": 2.0, "download": 3.0})]
    names = [stage.stage for stage in summarise(facts, job=JOB, asked=1, poison=0).stages]
    assert names == ["download", "infer", "upload", "zeta"]


def test_reused_tiles_count_as_done_but_not_as_this_jobs_time():
    years_ago = START - timedelta(days=700)
    reused = tile(0, job="other-2024-2", began=years_ago, committed=years_ago, worker="w-old")
    summary = summarise([reused, tile(10), tile(20)], job=JOB, asked=3, poison=0)
    assert (summary.committed, summary.reused, summary.left) == (3, 1, 0)
    assert summary.wall_seconds == pytest.approx(21)
    assert summary.downloaded_bytes == 20
    assert [worker.worker for worker in summary.workers] == ["w1"]


def test_a_commit_whose_second_was_cut_does_not_end_before_its_inference():
    facts = [tile(0.9, committed=START), tile(1.9, committed=START + timedelta(seconds=1))]
    assert summarise(facts, job=JOB, asked=2, poison=0).wall_seconds == pytest.approx(1.9)


def test_a_job_without_commits_has_an_empty_summary():
    summary = summarise([], job=JOB, asked=3, poison=0)
    assert (summary.left, summary.stages, summary.workers, summary.tiles_per_hour) == (3, (), (), None)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_value_that_enough_values_do_not_exceed(values, share):
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9 * len(values)
    assert sum(value < found for value in values) < share * len(values)
