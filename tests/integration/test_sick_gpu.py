"""A worker as a process whose GPU fails while it works: at most two tiles touched, a report within a minute."""

from __future__ import annotations

import json
import time

import pytest

from consumer.exit_codes import ExitCode
from contract.heartbeat import WorkerState, read_heartbeats
from tests.fake_gpu import HEALTHY, FakeGpu
from tests.fleet_rig import ISLE_OF_MAN_ROWS, stages_of, wait_for

pytestmark = pytest.mark.slow

MOST_TOUCHED = 2
MOST_SECONDS = 60


def test_a_gpu_that_fails_in_the_middle_of_a_tile_costs_that_tile_an_attempt_and_the_fleet_a_worker(rig):
    driver = FakeGpu(rig.folder / "driver")
    rig.enqueue(*ISLE_OF_MAN_ROWS, infer_seconds=120)
    worker = rig.start_consumer("sick", PATH=driver.path, TILEFLEET_CONSUMER_DEVICE="cuda")
    wait_for(lambda: "infer" in stages_of(rig, "sick"), "an inference")
    driver.says(HEALTHY.replace(" 0, No", " 2, No"))
    failed_at = time.monotonic()
    assert worker.wait(MOST_SECONDS) == ExitCode.UNFIT
    print(f"reported after {time.monotonic() - failed_at:.1f} s")
    (seen,) = read_heartbeats(rig.store).seen
    assert seen.heartbeat.state is WorkerState.UNFIT
    assert "2 uncorrected" in seen.heartbeat.reason
    ledger = b"".join(rig.store.read(name).data for name in rig.store.names("ledger/")).decode()
    (line,) = [json.loads(line) for line in ledger.splitlines() if '"worker_unfit"' in line]
    assert "2 uncorrected" in line["reason"]
    messages = [json.loads(held.body) for held in rig.queues.receive(32, 5)]
    assert len(messages) == 18
    noted = [message["tries"] for message in messages if message.get("tries")]
    assert noted == [{"worker": 1}]
    assert len(noted) <= MOST_TOUCHED
