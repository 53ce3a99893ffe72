"""What a person reads off the screen."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from rich.console import Console

from contract.errors import StorageUnavailable
from contract.fleet_queues import FleetQueues
from contract.heartbeat import Heartbeat, HeldTile, WorkerState, write_heartbeat
from contract.outcomes import Outcome
from contract.tile_queues.simulated import SimulatedQueues
from fleetctl.campaign import following
from fleetctl.campaign.following import Follower, follow_lines, follow_screen, show_once
from fleetctl.campaign.status_json import status_json
from fleetctl.controller.memory import Intent, Memory, Spend, VmMemory
from fleetctl.controller.memory_store import MemoryStore

A, B = "grid_0.05_50.05", "grid_0.15_50.05"


@pytest.fixture
def queues() -> FleetQueues:
    simulated = SimulatedQueues()
    made = FleetQueues(*(simulated.queue(f"fleet-{kind}") for kind in ("tiles", "urgent", "poison")))
    made.ensure()
    return made


def heartbeat(worker: str, *tiles: HeldTile, **changes) -> Heartbeat:
    facts = {
        "vm": "vm-1",
        "boot_id": "b",
        "started": "2026-03-01T12:00:00Z",
        "state": WorkerState.WORKING,
        "held_count": len(tiles),
        "cpu_percent": 87.0,
        "memory_bytes": 3_200_000_000,
        "gpu_percent": None,
        "prefetched_bytes": 0,
    }
    return Heartbeat(worker=worker, tiles=tiles, **(facts | changes))


def screen() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200), out


def test_the_screen_shows_jobs_queues_and_workers(make_campaign, queues):
    campaign = make_campaign(A, B, is_trained=False)
    campaign.commit(campaign.cells[0], outcome=Outcome.EMPTY)
    queues.tiles.send("{}")
    tiles = (
        HeldTile(campaign.job.dataset, A, "download", 0.05, ""),
        HeldTile(campaign.job.dataset, B, "infer", 0.4, ""),
    )
    write_heartbeat(campaign.store, heartbeat("w-old"))
    campaign.now += timedelta(minutes=20)
    write_heartbeat(campaign.store, heartbeat("w-new", *tiles, held_count=6))
    write_heartbeat(campaign.store, heartbeat("w-bad", state=WorkerState.UNFIT, reason="Xid 79"))
    console, out = screen()
    show_once(Follower(campaign.store, queues, None), console)
    text = out.getvalue()
    job_row = next(line for line in text.splitlines() if campaign.job.id in line)
    assert "untrained" in job_row
    assert "running" in job_row
    # asked, committed, empty, poison, left, rate, time left
    assert job_row.split()[-7:] == ["2", "1", "1", "0", "1", "-", "-"]
    assert "queues: 1 tiles, 0 urgent, 0 poison" in text
    worker_row = next(line for line in text.splitlines() if "w-new" in line)
    assert f"infer {B} 40%, download {A} 5%, and 4 more" in worker_row
    assert "87 %" in worker_row
    assert "3.2 GB" in worker_row
    assert "Xid 79" in text
    assert "w-old" not in text
    assert "1 silent" in text


def test_machines_and_money_are_shown_where_a_controller_wrote_them_down(make_campaign, queues):
    campaign = make_campaign(A, B)
    vms = {f"uk-a10-{n:04d}": VmMemory(Intent.RUN, "wanted", 0.0) for n in (1, 2)}
    vms["uk-a10-0003"] = VmMemory(Intent.QUARANTINE, "unfit", 0.0)
    spend = Spend(paid=12.3, traffic_by_job={"j1": 0.25, "j2": 0.5}, counted_until=1.0)
    MemoryStore(campaign.store).save(Memory(vms=vms, spend=spend))
    console, out = screen()
    follower = Follower(campaign.store, queues, None)
    show_once(follower, console)
    assert "machines: 1 quarantine, 2 run; 12.30 USD spent (0.75 for traffic)" in out.getvalue()
    told = json.loads(json.dumps(status_json(follower.look())))
    assert told["controller"]["machines"] == {"run": 2, "quarantine": 1}
    assert told["jobs"][0]["left"] == 2


def test_a_fleet_without_jobs_says_how_to_make_one(make_campaign, queues):
    campaign = make_campaign(A)
    for name in list(campaign.store.names("jobs/")):
        campaign.store.delete(name)
    console, out = screen()
    show_once(Follower(campaign.store, queues, None), console)
    assert "producer enqueue" in out.getvalue()


@pytest.mark.parametrize("follow", [follow_lines, follow_screen], ids=["lines", "screen without a terminal"])
def test_following_prints_a_line_per_change_and_ends_with_the_job(make_campaign, queues, follow):
    campaign = make_campaign(A, B)
    looks = []

    class Follows(Follower):
        def look(self):
            looks.append(1)
            # Nothing at the first two looks, then a tile per look.
            if len(looks) > 2:
                campaign.commit(campaign.cells[len(looks) - 3])
            return super().look()

    console, out = screen()
    follow(Follows(campaign.store, queues, campaign.job.id), 0.0, console)
    counts = [line.split(": ")[1].split(" ")[0] for line in out.getvalue().splitlines()]
    assert counts == ["0/2", "1/2", "2/2"]


def test_following_outlasts_a_storage_that_is_away_for_a_while_and_no_more(
    make_campaign, queues, monkeypatch
):
    campaign = make_campaign(A)
    looks = []

    class Follows(Follower):
        def look(self):
            looks.append(1)
            if 1 < len(looks) < 5:
                raise StorageUnavailable("listing jobs/: 503 ServerBusy; try again later")
            if len(looks) == 5:
                campaign.commit(campaign.cells[0])
            return super().look()

    console, out = screen()
    follow_lines(Follows(campaign.store, queues, campaign.job.id), 0.0, console)
    first, silence, last = out.getvalue().splitlines()
    assert "0/1" in first
    assert silence == "listing jobs/: 503 ServerBusy; try again later; waiting for it"
    assert "1/1" in last
    looks[:] = [1]
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(StorageUnavailable):
        Follows(campaign.store, queues, None).look_again(0.0, console)


def test_the_live_screen_ends_when_the_job_is_complete(make_campaign, queues):
    campaign = make_campaign(A)
    campaign.commit(campaign.cells[0])
    out = io.StringIO()
    console = Console(file=out, width=160, force_terminal=True)
    follow_screen(Follower(campaign.store, queues, None), 0.0, console)
    assert "complete" in out.getvalue()
