"""One damaged record is a line that says so; every other job is shown as ever."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from contract.artifact_names import job_asked, job_record, job_state
from contract.errors import BadInput
from contract.fleet_queues import FleetQueues
from contract.tile_queues.simulated import SimulatedQueues
from fleetctl.campaign.following import Follower, follow_lines, show_once
from fleetctl.campaign.job_list import choose_job, survey_jobs

A = "grid_0.05_50.05"


@pytest.fixture
def queues() -> FleetQueues:
    simulated = SimulatedQueues()
    made = FleetQueues(*(simulated.queue(f"fleet-{kind}") for kind in ("tiles", "urgent", "poison")))
    made.ensure()
    return made


def screen() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200), out


def test_a_damaged_job_record_hides_no_other_job(make_campaign, queues):
    campaign = make_campaign(A)
    campaign.store.put(job_record("broken-00000000"), b'{"v": 99}')
    console, out = screen()
    show_once(Follower(campaign.store, queues, None), console)
    assert campaign.job.id in out.getvalue()
    assert "broken-00000000: unreadable: the job record has version 99" in out.getvalue()
    assert choose_job(campaign.store, campaign.job.id) == campaign.job
    with pytest.raises(BadInput, match="job broken-00000000 cannot be read"):
        choose_job(campaign.store, "broken-00000000")


@pytest.mark.parametrize("of", [job_asked, job_state])
def test_a_job_whose_list_or_state_is_damaged_is_named_and_not_waited_for(make_campaign, queues, of):
    campaign = make_campaign(A)
    campaign.commit(campaign.cells[0])
    campaign.store.put(of(campaign.job.id), b"[]")
    console, out = screen()
    follow_lines(Follower(campaign.store, queues, None), 0.2, console)
    assert f"{campaign.job.id}: unreadable" in out.getvalue()
    with pytest.raises(BadInput, match="unreadable"):
        Follower(campaign.store, queues, campaign.job.id).look()


def test_what_is_no_job_under_the_jobs_prefix_is_passed_over(make_campaign):
    campaign = make_campaign(A)
    campaign.store.put("jobs/stray.txt", b"")
    campaign.store.put(f"jobs/{campaign.job.id}/redo/1", b"")
    assert survey_jobs(campaign.store).jobs == (campaign.job,)
    assert survey_jobs(campaign.store).unreadable == ()
