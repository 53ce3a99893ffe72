"""What `fleetctl jobs` and `fleetctl job show` say."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from rich.console import Console

from contract import artifact_names
from contract.errors import BadInput
from contract.fleet_queues import FleetQueues
from contract.job_store import Cursor, write_cursor
from contract.outcomes import Outcome
from contract.tile_queues.simulated import SimulatedQueues
from fleetctl.campaign.job_control import CHANGES, change_job
from fleetctl.campaign.job_details import details_json, details_table, look_at_job
from fleetctl.campaign.job_list import survey_jobs
from fleetctl.campaign.job_table import count_jobs, jobs_json, jobs_table
from fleetctl.redo.choose import RedoTile
from fleetctl.redo.plan import store_plan

NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)
A, B, C = "grid_0.05_50.05", "grid_0.15_50.05", "grid_0.25_50.05"


@pytest.fixture
def queues() -> FleetQueues:
    simulated = SimulatedQueues()
    made = FleetQueues(*(simulated.queue(f"fleet-{kind}") for kind in ("tiles", "urgent", "poison")))
    made.ensure()
    return made


def printed(renderable: object) -> str:
    out = io.StringIO()
    Console(file=out, width=240).print(renderable)
    return out.getvalue()


def poison(campaign, cell) -> None:
    campaign.store.put(artifact_names.poison(campaign.job.dataset, cell), b"{}")


def test_a_tile_is_explained_only_while_it_has_no_commit(make_campaign):
    campaign = make_campaign(A, B, C)
    poison(campaign, campaign.cells[0])
    poison(campaign, campaign.cells[1])
    campaign.commit(campaign.cells[0])
    ((line,), unreadable) = count_jobs(campaign.store, survey_jobs(campaign.store))
    assert (line.committed, line.explained, line.state_word) == (1, 1, "running")
    assert unreadable == []
    table = printed(jobs_table([line], []))
    assert all(word in table for word in (campaign.job.id, campaign.job.dataset, "running"))


def test_cancelling_explains_what_is_not_committed(make_campaign):
    campaign = make_campaign(A, B, C)
    campaign.commit(campaign.cells[0])
    change_job(campaign.store, campaign.job, CHANGES["cancel"], reason="budget", now=NOW)
    ((line,), _) = count_jobs(campaign.store, survey_jobs(campaign.store))
    assert (line.committed, line.explained) == (1, 2)
    (row,) = jobs_json([line], [])
    assert (row["state"], row["reason"], row["asked"]) == ("cancelled", "budget", 3)


def test_jobs_of_one_dataset_share_its_listing_and_a_damaged_one_is_a_row(make_campaign):
    campaign = make_campaign(A)
    listed: list[str] = []
    campaign.store._fault = lambda moment, action, name: (
        listed.append(name) if (moment, action) == ("before", "names") and "/commits/" in name else None
    )
    jobs = survey_jobs(campaign.store)
    count_jobs(campaign.store, type(jobs)(jobs.jobs * 3, ()))
    assert len(listed) == 1
    campaign.store.put(artifact_names.job_asked(campaign.job.id), b"")
    lines, unreadable = count_jobs(campaign.store, jobs)
    assert lines == []
    assert "was changed" in jobs_json(lines, unreadable)[0]["unreadable"]
    assert "unreadable" in printed(jobs_table(lines, unreadable))


def test_a_job_is_shown_whole(make_campaign, queues):
    campaign = make_campaign(A, B, C, is_trained=False)
    campaign.commit(campaign.cells[0], outcome=Outcome.EMPTY)
    poison(campaign, campaign.cells[1])
    queues.tiles.send("{}")
    write_cursor(campaign.store, campaign.job.id, Cursor(3))
    chosen = [RedoTile(campaign.cells[0], 1)]
    store_plan(campaign.store, campaign.job, what="corrupt", reason="", tiles=chosen, now=NOW)
    details = look_at_job(campaign.store, queues, campaign.job)
    record = json.loads(json.dumps(details_json(details)))
    assert (record["committed"], record["empty"], record["poison"], record["left"]) == (1, 1, 1, 1)
    assert (record["enqueued"], record["queued"], record["queue_depth"]) == (3, 1, 1)
    assert record["dataset"]["boundaries_sha256"] == "b" * 64
    page = printed(details_table(details))
    for words in (
        "Island (3 tiles)",
        "running since",
        "resolution=10",
        "untrained",
        "about 1 of the 1 messages",
        "redo, corrupt: type it again",
    ):
        assert words in page
    campaign.store.put(artifact_names.job_asked(campaign.job.id), b"")
    with pytest.raises(BadInput, match="cannot be read"):
        look_at_job(campaign.store, queues, campaign.job)
