"""Workers killed in each stage of one run, as processes on real storage."""

from __future__ import annotations

import signal

import pytest

from consumer.exit_codes import ExitCode
from contract.completion import completion
from tests.fleet_rig import committed_once, is_drained, stages_of, wait_for

pytestmark = pytest.mark.slow
BOX, TILES = "bbox:-4.9,54.0,-4.3,54.2", 12
"""More than all victims hold."""


def test_a_worker_killed_in_each_stage_loses_nothing_and_doubles_nothing(rig):
    job = rig.enqueue(
        BOX,
        download_seconds=1,
        prepare_seconds=1,
        infer_seconds=1,
        write_seconds=1,
        artifacts=60,
    )
    for stage in ("download", "prepare", "infer", "upload", "settle"):
        victim = rig.start_consumer(f"victim-{stage}", TILEFLEET_CONSUMER_HEARTBEAT_SECONDS="0.2")
        wait_for(lambda s=stage: s in stages_of(rig, f"victim-{s}"), f"a tile in {stage}")
        victim.send_signal(signal.SIGKILL)
        assert victim.wait(20) == -signal.SIGKILL
    survivors = [rig.start_consumer(f"survivor-{n}", "--until-empty") for n in range(2)]
    assert [worker.wait(220) for worker in survivors] == [ExitCode.DONE] * 2
    assert len(committed_once(rig, job)) == TILES
    wait_for(lambda: is_drained(rig), "the queues to be empty")
    assert completion(rig.store, job).committed == TILES
