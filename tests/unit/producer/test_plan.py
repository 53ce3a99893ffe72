"""From what was asked to records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contract.errors import BadInput
from contract.job import JobState, decode_asked
from contract.job_store import asked_tiles
from producer.plan import (
    check_same_job,
    encode_cells,
    first_state,
    job_name,
    last_position,
    make_dataset,
    order_cells,
    plan_jobs,
    slug,
)
from tests.producer_rig import NOW, ask, cells, pins, plan


def test_canary_cells_come_first_and_from_all_over():
    ordered = order_cells(cells(100), limit=None, canary_count=4)
    assert ordered[:4, 1].tolist() == [12, 37, 62, 87]
    assert ordered[4:8, 1].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("count", "canary"), [(1, 1), (2, 1), (10, 3), (10, 9), (10, 10), (10, 11), (7, 0)])
def test_ordering_keeps_every_cell_once(count, canary):
    ordered = order_cells(cells(count), limit=None, canary_count=canary)
    assert sorted(map(tuple, ordered.tolist())) == sorted(map(tuple, cells(count).tolist()))


def test_a_limit_is_taken_before_the_canary():
    ordered = order_cells(cells(100), limit=10, canary_count=2)
    assert sorted(ordered[:, 1].tolist()) == list(range(10))


def test_the_asked_list_is_the_cells_in_their_order_across_chunks():
    many = cells(45_000, row=0)
    asked = encode_cells(many)
    assert asked.count(b"\n") == 45_000
    tiles = [(tile.row, tile.column) for tile in decode_asked(asked)]
    assert np.array_equal(np.array(tiles), many)
    assert [(tile.row, tile.column) for tile in asked_tiles(asked, 44_998)] == tiles[44_998:]


def test_asking_again_is_the_same_job_whenever_it_is():
    assert plan().job.id == plan().job.id
    later = plan_jobs(ask(), [plan().dataset], pins().settings, created="2027-01-01T00:00:00+00:00")[0]
    assert later.job.id == plan().job.id


@pytest.mark.parametrize(
    "changes",
    [{"count": 11}, {"year": 2023}, {"is_urgent": True}, {"canary_count": 2}, {"limit": 9}, {"label": "other"},
     {"settings": {"model": "large"}}],
)  # fmt: skip
def test_asking_for_something_else_is_another_job(changes):
    assert plan(**changes).job.id != plan().job.id


def test_parameters_that_do_not_change_the_result_are_in_the_job_and_not_in_the_dataset():
    made = plan(settings={"threads": 9})
    assert made.dataset == plan().dataset
    assert made.job.settings["threads"] == 9


def test_the_same_job_with_other_settings_is_refused_by_name():
    with pytest.raises(BadInput, match=r"threads=4.*--job"):
        check_same_job(plan().job, plan(settings={"threads": 9}).job)


def test_a_year_that_is_not_over_has_a_dataset_of_its_own():
    whole, partial = (make_dataset(pins(), 2026, is_partial=flag) for flag in (False, True))
    assert whole.name != partial.name


def test_years_of_one_request_are_one_campaign():
    datasets = [make_dataset(pins(), year, is_partial=False) for year in (2023, 2024)]
    made = plan_jobs(ask(), datasets, pins().settings, created=NOW)
    assert [one.job.name for one in made] == ["toyland-2023", "toyland-2024"]
    assert len({one.job.campaign for one in made}) == 1
    assert made[0].asked == made[1].asked


def test_a_job_alone_is_its_own_campaign():
    assert plan().job.campaign == plan().job.id


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Isle of Man", "isle-of-man"),
        ("Côte d'Ivoire", "c-te-d-ivoire"),
        ("x" * 99, "x" * 43),
        ("...", "tiles"),
    ],
)
def test_labels_become_names(label, expected):
    assert slug(label) == expected


def test_a_job_name_is_used_as_typed():
    assert job_name(ask(label="trial-7", is_label_exact=True), "2024") == "trial-7"
    with pytest.raises(BadInput, match=r"Trial 7.*lower-case"):
        job_name(ask(label="Trial 7", is_label_exact=True), "2024")


@pytest.mark.parametrize(
    ("state", "position"),
    [(JobState.CANARY, 3), (JobState.RUNNING, 10), (JobState.FINISHED, 10), (JobState.PAUSED, 0),
     (JobState.CANCELLED, 0)],
)  # fmt: skip
def test_how_far_a_job_may_be_enqueued(state, position):
    assert last_position(plan(canary_count=3).job, state) == position


@pytest.mark.parametrize(
    ("canary", "state"), [(0, JobState.RUNNING), (3, JobState.CANARY), (10, JobState.RUNNING)]
)
def test_a_job_that_is_all_canary_needs_no_approval(canary, state):
    assert first_state(replace(plan().job, canary_count=canary)) is state
