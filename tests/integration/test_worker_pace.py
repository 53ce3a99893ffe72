"""How many tiles a worker holds, as processes on real storage: by measured times, and by memory."""

from __future__ import annotations

import json

import pytest

from consumer.exit_codes import ExitCode
from tests.fleet_rig import ISLE_OF_MAN_ROWS

pytestmark = pytest.mark.slow


def test_three_tiles_or_more_are_in_flight_when_inference_is_quick(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=1.0, write_seconds=0.02, infer_seconds=0.8)
    worker = rig.start_consumer("quick", "--until-empty")
    assert worker.wait(120) == ExitCode.DONE
    changes = [json.loads(line) for line in rig.log_of("quick").splitlines() if "tiles in flight" in line]
    assert changes[0]["now"] == 2
    # How many more, and for how long, depends on how busy the test's machine is; benchmarks/pipeline.py measures it.
    assert max(change["now"] for change in changes) >= 3


def test_prefetched_tiles_stay_within_the_memory_they_were_given(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS, memory_bytes=100_000_000, download_seconds=0.5, infer_seconds=0.1)
    worker = rig.start_consumer("modest", "--until-empty", "--memory", "250M")
    assert worker.wait(120) == ExitCode.DONE
    (ended,) = [json.loads(line) for line in rig.log_of("modest").splitlines() if "worker ended" in line]
    assert 200_000_000 <= ended["most_reserved_bytes"] <= 250 * 1024 * 1024
    assert ended["most_inferences_at_once"] == 1
