"""`consumer selftest` as a person types it, and a worker that finds its machine unfit before any tile."""

from __future__ import annotations

import json
import shutil

import pytest

from consumer.exit_codes import ExitCode
from contract.heartbeat import WorkerState, read_heartbeats
from tests.fleet_rig import ISLE_OF_MAN_ROWS

pytestmark = pytest.mark.slow

without_gpu = pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a GPU here")


def test_a_fit_machine_ends_with_0_and_its_clock_is_compared_with_the_storages(rig):
    output = rig.type("consumer", "selftest", "--model", "v2-nano", "--dtype", "bf16")
    rows = {line.split()[0]: line for line in output.splitlines() if line.strip()}
    assert rows["clock"].rstrip().endswith("ok")
    assert "tessera v2-nano bf16" in rows["tessera"]
    assert rows["tessera"].rstrip().endswith("ok")
    assert output.splitlines()[-1] == "fit"


def test_without_a_fleet_the_clock_is_not_checked_and_nothing_else_is_missing(rig):
    del rig.environ["FLEET"]
    output = rig.type("consumer", "selftest", "--recipe", "toy")
    assert "not checked: no fleet is chosen" in output
    assert output.splitlines()[-1] == "fit"


@without_gpu
def test_an_unfit_machine_ends_with_21_and_the_reason(rig):
    output = rig.type("consumer", "selftest", "--recipe", "toy", "--device", "cuda", status=ExitCode.UNFIT)
    assert output.splitlines()[-1].startswith("unfit: GPU: none")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--recipe", "tesera"), "did you mean tessera?"),
        (("--model", "v9"), "'v9' is not one of v1.1"),
        (("--recipe", "toy", "--model", "v1.1"), "has no parameter 'model'"),
        (("--fleet", "nobody"), "there is no fleet file"),
        (("--device", "tpu"), "device"),
    ],
)
def test_a_mistake_is_said_in_one_sentence(rig, words, said):
    output = rig.type("consumer", "selftest", *words, status=ExitCode.BAD_INPUT)
    (sentence,) = [line for line in output.splitlines() if line.startswith("consumer: ")]
    assert said in sentence


@without_gpu
def test_a_worker_on_an_unfit_machine_touches_no_tile_and_tells_the_fleet(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS)
    worker = rig.start_consumer("sick", "--slots", "1", TILEFLEET_CONSUMER_DEVICE="cuda")
    assert worker.wait(60) == ExitCode.UNFIT
    messages = [json.loads(held.body) for held in rig.queues.tiles.receive(32, 5)]
    assert len(messages) == 18
    assert all("tries" not in message for message in messages)
    (seen,) = read_heartbeats(rig.store).seen
    assert seen.heartbeat.state is WorkerState.UNFIT
    assert "GPU: none" in seen.heartbeat.reason
    ledger = b"".join(rig.store.read(name).data for name in rig.store.names("ledger/")).decode()
    assert '"worker_unfit"' in ledger
