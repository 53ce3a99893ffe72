"""What listings tell about a job."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contract import artifact_names
from contract.commit import revoke
from contract.commit_record import MAX_COMMIT_BYTES
from contract.errors import BadInput
from contract.fleet_queues import FleetQueues
from contract.outcomes import Outcome
from contract.tile_id import parse_tile
from contract.tile_queues.simulated import SimulatedQueues
from fleetctl.campaign.history import choose_job, gather_history
from fleetctl.campaign.job_list import survey_jobs
from fleetctl.campaign.status import Observer
from fleetctl.campaign.tally import tally

A, B, C = "grid_0.05_50.05", "grid_0.15_50.05", "grid_0.25_50.05"


def queues() -> FleetQueues:
    simulated = SimulatedQueues()
    made = FleetQueues(*(simulated.queue(f"fleet-{kind}") for kind in ("tiles", "urgent", "poison")))
    made.ensure()
    return made


def test_only_asked_tiles_count_also_when_another_job_had_them_made(make_campaign):
    campaign = make_campaign(A, B)
    campaign.commit(campaign.cells[0])
    campaign.commit(parse_tile(C))
    history = gather_history(campaign.store, campaign.job)
    assert [commit.tile for commit in history.commits] == [A]
    assert history.commits[0].is_published
    assert history.last_commit == campaign.now - timedelta(seconds=60)


def test_a_revoked_result_does_not_count_until_the_next_generation(make_campaign):
    campaign = make_campaign(A)
    (cell,) = campaign.cells
    campaign.commit(cell)
    revoke(campaign.store, campaign.job.dataset, cell, 1, "clouds")
    assert gather_history(campaign.store, campaign.job).commits == ()
    campaign.commit(cell, generation=2)
    (commit,) = gather_history(campaign.store, campaign.job).commits
    assert commit.blob_name.endswith("/g2")


def test_the_tenth_generation_is_newer_than_the_second(make_campaign):
    campaign = make_campaign(A)
    for generation in range(1, 11):
        campaign.commit(campaign.cells[0], generation=generation)
    (commit,) = gather_history(campaign.store, campaign.job).commits
    assert commit.blob_name.endswith("/g10")


def test_poison_is_explained_only_while_there_is_no_commit(make_campaign):
    campaign = make_campaign(A, B)
    for cell in campaign.cells:
        campaign.store.put(artifact_names.poison(campaign.job.dataset, cell), b"{}")
    campaign.commit(campaign.cells[0])
    assert gather_history(campaign.store, campaign.job).poison == {B}


def test_a_job_is_found_by_its_name_while_that_is_unique(make_campaign):
    campaign = make_campaign(A)
    assert choose_job(campaign.store, "island-2024") == campaign.job
    with pytest.raises(BadInput, match=f"did you mean {campaign.job.id}"):
        choose_job(campaign.store, campaign.job.id[:-1] + "z")


def test_a_look_counts_empty_tiles_without_reading_a_record(make_campaign):
    campaign = make_campaign(A, B, C, is_trained=False)
    campaign.commit(campaign.cells[0], outcome=Outcome.EMPTY)
    reads: list[str] = []
    campaign.store._fault = lambda moment, action, name: (
        reads.append(name) if (moment, action) == ("before", "read") and "/commits/" in name else None
    )
    observer = Observer(campaign.store, queues())
    campaign.commit(campaign.cells[1], is_published=False)
    reads.clear()
    view = observer.look(survey_jobs(campaign.store))
    progress = view.jobs[0].progress
    assert (progress.committed, progress.empty, progress.left) == (2, 1, 1)
    assert reads == []
    assert not view.is_complete


def test_a_look_says_how_fast_it_goes(make_campaign):
    campaign = make_campaign(A, B, C)
    for cell in campaign.cells[:2]:
        campaign.commit(cell, after_seconds=90)
    progress = Observer(campaign.store, queues()).look(survey_jobs(campaign.store)).jobs[0].progress
    assert progress.tiles_per_hour == pytest.approx(40)
    assert progress.seconds_left == pytest.approx(90)


def test_the_summary_is_made_from_the_records(make_campaign):
    campaign = make_campaign(A, B, C)
    start = campaign.now.isoformat()
    campaign.commit(campaign.cells[0], began=start, seconds={"infer": 20.0})
    campaign.commit(campaign.cells[1], began=start, seconds={"infer": 30.0})
    summary = tally(campaign.store, gather_history(campaign.store, campaign.job), connections=2)
    assert summary.busy_share == pytest.approx(0.5)
    assert summary.tiles_per_hour == pytest.approx(60)
    assert (summary.committed, summary.left) == (2, 1)


@pytest.mark.parametrize("data", [b"{}", b" " * (MAX_COMMIT_BYTES + 1)])
def test_a_damaged_commit_is_named_with_what_mends_it(make_campaign, data):
    campaign = make_campaign(A)
    record = campaign.commit(campaign.cells[0])
    campaign.store.put(record.blob_name, data)
    with pytest.raises(
        BadInput, match=f"commits/{A}/g1 is damaged .*redo JOB --tiles FILE` has {A} done again"
    ):
        tally(campaign.store, gather_history(campaign.store, campaign.job), connections=1)


def test_a_commit_that_gives_no_account_is_named(make_campaign):
    campaign = make_campaign(A)
    campaign.commit(campaign.cells[0], seconds={}, downloaded_bytes="many")
    with pytest.raises(BadInput, match=f"commits/{A}/g1.*many"):
        tally(campaign.store, gather_history(campaign.store, campaign.job), connections=1)
