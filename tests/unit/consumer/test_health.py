"""A machine that stops being fit while it works: found by looking, said once, with at most one tile touched."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from consumer import gpus
from consumer.datasets import Machine
from consumer.fitness import Check
from consumer.health import HealthWatch
from consumer.selftest import running_checks
from consumer.work import Stage
from contract.errors import StorageUnavailable, WorkerUnfit
from tests.fake_gpu import HEALTHY, FakeGpu
from tests.unit.consumer.worker_rig import StepWorker, World


@pytest.fixture
def gpu(tmp_path, monkeypatch):
    fake = FakeGpu(tmp_path / "driver")
    monkeypatch.setenv("PATH", fake.path)
    monkeypatch.setattr(gpus, "kernel_log", lambda: "")
    return fake


@pytest.fixture
def machine(tmp_path):
    return Machine("http://127.0.0.1:9", tmp_path / "c", tmp_path / "s", None, device="cuda", threads=1)


def watch(look, held=list, on_unfit=lambda _reason: None):
    return HealthWatch(look, held, on_unfit, pause_seconds=0.01)


def trouble(machine, environ=None):
    return watch(lambda: running_checks(machine, environ or {}, datetime.now(UTC))).trouble()


def failing(name):
    return Check(name, "bad", "good", is_ok=False)


def test_a_healthy_gpu_stays_fit(gpu, machine):
    assert trouble(machine) == ""


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (HEALTHY.replace(" 0, No", " 3, No"), "3 uncorrected"),
        (HEALTHY.replace(" 0, No", " 0, Yes"), "wait to be retired"),
        ("", "GPU: none"),
    ],
)
def test_counters_that_rise_while_it_works_make_it_unfit(gpu, machine, says, words):
    gpu.says(says)
    assert words in trouble(machine)


def test_a_driver_that_ends_with_an_error_is_unfit_and_quoted(gpu, machine):
    gpu.fails("Unable to determine the device handle: GPU is lost.")
    assert "GPU is lost" in trouble(machine)


def test_a_driver_that_talks_gibberish_is_unfit(gpu, machine):
    gpu.stammers()
    assert "GPU: none" in trouble(machine)


def test_a_driver_that_hangs_is_unfit_and_holds_nothing_up(gpu, machine, monkeypatch):
    monkeypatch.setattr(gpus, "QUERY_SECONDS", 0.2)
    gpu.hangs()
    assert "did not answer within 0.2 s" in trouble(machine)


def test_a_report_of_failing_hardware_in_the_kernels_log_makes_it_unfit(gpu, machine, monkeypatch):
    monkeypatch.setattr(
        gpus, "kernel_log", lambda: "NVRM: Xid (PCI:0000:65:00): 79, GPU has fallen off the bus."
    )
    assert "79 (0000:65:00)" in trouble(machine)


def test_a_slots_own_gpu_that_vanished_is_not_replaced_by_the_neighbours(gpu, machine):
    assert "GPU: none" in trouble(machine, {"CUDA_VISIBLE_DEVICES": "GPU-gone"})


def test_a_disk_that_takes_no_bytes_any_more_makes_it_unfit(gpu, machine):
    machine.scratch_folder.write_text("a file where the folder was")
    assert "scratch" in trouble(machine)


@pytest.mark.parametrize("name", ["clock", "memory"])
def test_what_a_moment_may_explain_counts_from_the_second_look_in_a_row_on(name):
    answers = iter([[failing(name)], [], [failing(name)], [failing(name)]])
    looks = watch(lambda: next(answers))
    assert [bool(looks.trouble()) for _ in range(4)] == [False, False, False, True]


def test_a_clock_that_jumps_while_it_works_is_found(machine, gpu):
    storages = datetime.now(UTC) - timedelta(hours=1)
    looks = watch(lambda: running_checks(machine, {}, storages))
    assert looks.trouble() == ""
    assert "clock: +3600" in looks.trouble()


def test_a_storage_that_is_away_says_nothing_about_the_machine():
    def look():
        raise StorageUnavailable("away")

    assert watch(look).trouble() == ""


def test_the_tile_in_inference_ends_with_the_reason_and_the_others_are_left_to_be_handed_back(tmp_path):
    world = World(tmp_path)
    world.ask()
    worker = StepWorker(world, "w")
    (work,) = worker.receive()
    said = []
    looks = watch(lambda: [failing("ECC")], worker.parts.keeper.held, said.append)
    looks.run(threading.Event())
    assert not work.stop.is_set()
    work.stage = Stage.INFER
    looks.run(threading.Event())
    assert isinstance(work.stop_reason, WorkerUnfit)
    assert said == ["ECC: bad, wanted good"] * 2
