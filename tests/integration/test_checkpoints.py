"""Real workers on real storage that go on from each other's blocks: after a notice, and after a SIGKILL."""

from __future__ import annotations

import hashlib
import os
import signal

import pytest

from consumer.exit_codes import ExitCode
from consumer.leaving import HAND_BACK_SECONDS, MOVE_NEEDS_SECONDS
from contract import artifact_names, ledger_events
from contract.commit import read_commit
from contract.heartbeat import read_heartbeats
from contract.job_store import asked_tiles, read_asked, read_job
from contract.ledger import LedgerReader
from contract.tile_id import TileId
from contract.tile_message import decode_message
from tests.fleet_rig import FleetRig, committed_once, is_drained, wait_for

pytestmark = pytest.mark.slow

ONE_TILE = "bbox:-4.6,54.1,-4.5,54.2"
BLOCKS = 25
BLOCKWISE = {"infer_seconds": 3, "blocks": BLOCKS, "block_bytes": 100_000}
LONGER = {**BLOCKWISE, "infer_seconds": 5}
GRACE_SECONDS = HAND_BACK_SECONDS + MOVE_NEEDS_SECONDS + 2.5
"""The last of it to store the checkpoint in: with three more for a save the second half cannot be inferred in time."""
QUICK_HEART = {"TILEFLEET_CONSUMER_HEARTBEAT_SECONDS": "0.2"}


def tile_of(rig: FleetRig, job_id: str) -> TileId:
    job = read_job(rig.store, job_id)
    (tile,) = asked_tiles(read_asked(rig.store, job))
    return tile


def checkpoints_of(rig: FleetRig, job_id: str) -> list[str]:
    job = read_job(rig.store, job_id)
    return list(rig.store.names(artifact_names.checkpoints_prefix(job.dataset, tile_of(rig, job_id), 1)))


def share_done(rig: FleetRig, worker: str) -> float:
    """Of the inference that a worker's last heartbeat tells of."""
    return max(
        (
            held.progress
            for seen in read_heartbeats(rig.store).seen
            if seen.heartbeat.worker == worker
            for held in seen.heartbeat.tiles
            if held.stage == "infer"
        ),
        default=0.0,
    )


def events_of(rig: FleetRig, name: str) -> list[dict]:
    events, _ = LedgerReader(rig.store).read_new({})
    return [event for event in events if event["name"] == name]


def assert_as_undisturbed(rig: FleetRig, job_id: str) -> None:
    """The published file is the one of an inference that nothing interrupted."""
    job, tile = read_job(rig.store, job_id), tile_of(rig, job_id)

    def block(number: int) -> bytes:
        digest = hashlib.sha256(f"{job.dataset} {tile.name} {number}".encode()).digest()
        return (digest * (100_000 // 32 + 1))[:100_000]

    expected = hashlib.sha256(b"".join(block(number) for number in range(BLOCKS))).digest()
    committed = read_commit(rig.store, job.dataset, tile, 1)
    (artifact,) = committed.record.artifacts
    data = rig.store.read(artifact_names.published(job.dataset, artifact.name)).data
    assert data == (expected * 32)[: len(data)]


def test_a_notice_leaves_a_checkpoint_that_another_worker_goes_on_from(rig):
    job = rig.enqueue(ONE_TILE, **LONGER)
    halt = rig.folder / "halt.txt"
    first = rig.start_consumer(
        "first",
        TILEFLEET_CONSUMER_HALT_FILE=str(halt),
        TILEFLEET_CONSUMER_GRACE_SECONDS=str(GRACE_SECONDS),
        **QUICK_HEART,
    )
    wait_for(lambda: share_done(rig, "first") > 0.1, "some blocks")
    halt.touch()
    assert first.wait(30) == ExitCode.EVICTED
    (name,) = checkpoints_of(rig, job)
    (held,) = rig.queues.urgent.receive(1, 1)
    assert decode_message(held.body).checkpoint == name
    second = rig.start_consumer("second", "--until-empty")
    assert second.wait(60) == ExitCode.DONE
    (done,) = committed_once(rig, job)
    assert done["worker"] == "second"
    assert done["resumed_blocks"] == int(name[-6:]) > 0
    assert_as_undisturbed(rig, job)
    assert checkpoints_of(rig, job) == []
    assert is_drained(rig)
    (saved,) = events_of(rig, ledger_events.CHECKPOINT_SAVED)
    assert saved["worker"] == "first"
    assert saved["bytes"] > done["resumed_blocks"] * 100_000
    (told,) = events_of(rig, ledger_events.DONE)
    assert told["resumed_blocks"] == done["resumed_blocks"]


def test_a_worker_killed_between_two_checkpoints_costs_the_blocks_since_the_last_one(rig):
    job = rig.enqueue(ONE_TILE, **BLOCKWISE)
    often = {
        "TILEFLEET_CONSUMER_CHECKPOINT_EVERY_SECONDS": "0.3",
        "TILEFLEET_CONSUMER_CHECKPOINT_TILES_OVER_SECONDS": "1",
    }
    first = rig.start_consumer("first", **often)
    wait_for(lambda: len(checkpoints_of(rig, job)) >= 2, "two checkpoints")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(10)
    saved = max(int(name[-6:]) for name in checkpoints_of(rig, job))
    second = rig.start_consumer("second", "--until-empty", **often)
    assert second.wait(60) == ExitCode.DONE
    (done,) = committed_once(rig, job)
    assert done["worker"] == "second"
    assert done["resumed_blocks"] == saved
    assert_as_undisturbed(rig, job)
    assert checkpoints_of(rig, job) == []
    later = [event for event in events_of(rig, ledger_events.CHECKPOINT_SAVED) if event["worker"] == "second"]
    # Never what is stored already: all that it saved is less than what was left, and a block's room for headers.
    assert sum(event["bytes"] for event in later) < (BLOCKS - saved + 1) * 100_000
