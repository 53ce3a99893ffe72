"""A worker as a process that has nothing to do, and a tile whose holder is not heard of any more."""

from __future__ import annotations

import json

import pytest

from consumer.exit_codes import ExitCode
from contract.commit import read_commit
from contract.heartbeat import Heartbeat, HeldTile, WorkerState, write_heartbeat
from contract.job_store import read_job
from contract.tile_message import decode_message

pytestmark = pytest.mark.slow

ONE_TILE = "bbox:-4.6,54.1,-4.5,54.2"
BEGAN = "2026-01-01T00:00:00+00:00"


def hold(rig, worker: str):
    """Take the tile's message for longer than the test lasts, and say once who has it."""
    (held,) = rig.queues.tiles.receive(1, 600)
    message = decode_message(held.body)
    tile = HeldTile(message.dataset, message.tile.name, "infer", 0.0, BEGAN, job=message.job)
    write_heartbeat(
        rig.store,
        Heartbeat(worker, "vm", "boot", BEGAN, WorkerState.WORKING, (tile,), 1, 0.0, 0, None, 0),
    )
    return held, message


def test_an_idle_worker_finishes_what_a_silent_one_holds_and_leaves_its_message_to_it(rig):
    job = read_job(rig.store, rig.enqueue(ONE_TILE))
    held, message = hold(rig, "silent")
    idle = rig.start_consumer("idle", "--until-empty")
    assert idle.wait(60) == ExitCode.DONE
    committed = read_commit(rig.store, job.dataset, message.tile, 1)
    assert committed is not None
    assert committed.is_published
    assert committed.record.done["worker"] == "idle"
    ledger = b"".join(rig.store.read(name).data for name in rig.store.names("ledger/")).decode()
    (second,) = [json.loads(line) for line in ledger.splitlines() if '"second_attempt"' in line]
    assert second["number"] == 1
    assert second["reason"].startswith("silent has it and has not been heard of")
    assert rig.queues.tiles.depth() == 1
    rig.queues.tiles.renew(held, 0)  # the holder is back, and hands it to whoever comes next
    assert rig.start_consumer("next", "--until-empty").wait(60) == ExitCode.DONE
    assert read_commit(rig.store, job.dataset, message.tile, 1) == committed
