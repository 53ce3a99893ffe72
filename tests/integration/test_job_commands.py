"""fleetctl's control of jobs as it is typed, on real storage, with a real worker where one is needed."""

from __future__ import annotations

import json

import pytest

from consumer.exit_codes import ExitCode
from consumer.poison import poison_foreign, poison_tile
from contract.artifact_names import published
from contract.commit import read_commit, read_standing
from contract.completion import completion
from contract.job import Job
from contract.job_store import asked_tiles, read_asked, read_job
from contract.outcomes import Cause
from contract.tile_id import TileId
from contract.tile_message import NotOurs, PastAttempt, decode_message
from tests.fleet_rig import FleetRig

pytestmark = pytest.mark.slow
FOUR = "bbox:-4.9,54.0,-4.5,54.1"
TWO = "bbox:-4.9,54.0,-4.7,54.1"


def tiles_of(rig: FleetRig, job: Job) -> list[TileId]:
    return list(asked_tiles(read_asked(rig.store, job)))


def work(rig: FleetRig, name: str) -> None:
    assert rig.start_consumer(name, "--until-empty").wait(180) == ExitCode.DONE


def give_up_all(rig: FleetRig) -> None:
    """Every message of the tiles queue to poison, the way a worker does it."""
    while held := rig.queues.tiles.receive(32, 60):
        for one in held:
            try:
                message = decode_message(one.body)
            except NotOurs as error:
                poison_foreign(rig.store, rig.queues, one, str(error))
                continue
            past = PastAttempt("a1", "w1", Cause.TILE, "GiveUp:0")
            poison_tile(rig.store, rig.queues, one, message.after(past), cause=Cause.TILE, reason="bad data")


def test_a_poisoned_tile_is_listed_shown_dropped_replayed_and_done(rig):
    job = read_job(rig.store, rig.enqueue(TWO))
    rig.queues.tiles.send("not\u202eours")
    give_up_all(rig)
    first, second = tiles_of(rig, job)
    listed = json.loads(rig.type("fleetctl", "poison", "list", "--json").partition("\n")[2])
    assert sorted(one["state"] for one in listed) == ["open"] * 3
    assert "GiveUp:0" in rig.type("fleetctl", "poison", "show", first.name)
    assert "not\\u202eours" in next(one["raw"] for one in listed if one["cause"] == "foreign")
    assert "no message of ours" in rig.type("fleetctl", "poison", "replay", listed[0]["name"], status=2)
    rig.type("fleetctl", "poison", "drop", second.name, listed[0]["name"], "--reason", "no imagery")
    assert "1 asked again" in rig.type("fleetctl", "poison", "replay", "--rate", "100")
    assert completion(rig.store, job.id).explained == 1
    assert (rig.queues.tiles.depth(), rig.queues.poison.depth()) == (1, 0)
    (row,) = json.loads(rig.type("fleetctl", "jobs", "--json").partition("\n")[2])
    assert (row["asked"], row["committed"], row["explained"]) == (2, 0, 1)


def test_results_are_redone_once_and_readers_keep_the_old_bytes_until_then(rig):
    job = read_job(rig.store, rig.enqueue(FOUR))
    work(rig, "first")
    assert completion(rig.store, job.id).committed == 4
    broken, *_, listed = tiles_of(rig, job)
    artifact = read_commit(rig.store, job.dataset, broken, 1).record.artifacts[0]
    rig.store.put(published(job.dataset, artifact.name), b"short")
    assert "add --yes" in rig.type("fleetctl", "redo", job.id, "--corrupt", status=2)
    assert read_standing(rig.store, job.dataset, broken).is_done
    said = rig.type("fleetctl", "redo", job.id, "--corrupt", "--yes")
    assert "1 results to redo (corrupt)" in said
    assert "1 tiles are asked again" in said
    (rig.folder / "again.txt").write_text(f"{listed.name}\n")
    rig.type("fleetctl", "redo", job.id, "--tiles", "again.txt", "--yes", "--reason", "wrong scenes")
    assert "nothing to redo" in rig.type("fleetctl", "redo", job.id, "--where", "infer>100000")
    assert rig.queues.tiles.depth() == 2
    work(rig, "second")
    assert completion(rig.store, job.id).committed == 4
    standings = [read_standing(rig.store, job.dataset, tile).newest_committed for tile in tiles_of(rig, job)]
    assert standings == [2, 1, 1, 2]
    info = rig.store.info(published(job.dataset, artifact.name))
    assert info.length == artifact.length


def test_a_region_is_put_in_front_and_a_damaged_job_hides_no_other(rig):
    job = rig.enqueue(FOUR)
    said = rig.type("fleetctl", "prioritise", TWO, "--job", job)
    assert "2 put on the urgent queue" in said
    assert "2 there already" in rig.type("fleetctl", "prioritise", TWO, "--job", job)
    assert (rig.queues.urgent.depth(), rig.queues.tiles.depth()) == (2, 4)
    work(rig, "only")
    assert completion(rig.store, job).committed == 4
    assert (rig.queues.urgent.depth(), rig.queues.tiles.depth()) == (0, 0)
    shown = json.loads(rig.type("fleetctl", "job", "show", job, "--json").partition("\n")[2])
    assert (shown["asked"], shown["committed"], shown["enqueued"], shown["queued"]) == (4, 4, 4, 0)
    rig.store.put("jobs/broken-00000000/job.json", b"{}")
    for command in ("jobs", "status"):
        said = rig.type("fleetctl", command)
        assert job in said
        assert "broken-00000000: unreadable" in said
    rig.type("fleetctl", "job", "cancel", job, "--yes")
    assert "is cancelled" in rig.type("fleetctl", "prioritise", TWO, "--job", job, status=2)
