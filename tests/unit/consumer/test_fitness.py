"""What makes a machine unfit, and what is only not known."""

from datetime import UTC, datetime, timedelta

import pytest

from consumer import fitness
from consumer.gpus import (
    GpuLook,
    hardware_xids,
    is_gpu_machine,
    look_at_gpus,
    own_gpus,
    parse_gpus,
    slot_gpus,
    visible_gpus,
)
from contract.errors import BadInput
from tests.fake_gpu import FakeGpu

TWO_GPUS = """\
GPU-aaaa, NVIDIA A10-24Q, 00000000:65:00.0, 24512, 0, No
GPU-bbbb, NVIDIA A10-24Q, 00000001:B3:00.0, 24512, 5026, No
"""
OLD_GPU = "GPU-cccc, Tesla T4, 00000000:01:00.0, [N/A], [N/A], [N/A]\n"
LOG = """\
4,1,2,-;NVRM: Xid (PCI:0000:65:00): 13, pid=99, Graphics Exception
4,2,3,-;NVRM: Xid (PCI:0001:b3:00): 79, pid='<unknown>', GPU has fallen off the bus.
"""
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def gpus(text):
    return tuple(parse_gpus(text))


def test_a_folder_that_takes_and_gives_back_bytes_is_fit(tmp_path):
    assert fitness.check_disk("scratch", tmp_path / "new").is_ok
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("where", ["file", "/proc/nowhere", "/dev/null/below"])
def test_a_folder_that_cannot_be_written_is_unfit_and_named(tmp_path, where):
    (tmp_path / "file").touch()
    check = fitness.check_disk("scratch", tmp_path / where)
    assert check.is_ok is False
    assert where in check.sentence


def test_a_container_without_memory_left_is_unfit(tmp_path):
    (tmp_path / "memory.max").write_text("1000000000\n")
    (tmp_path / "memory.current").write_text("900000000\n")
    available = fitness.available_memory_bytes(tmp_path)
    assert available == 100_000_000
    assert fitness.check_memory(available).is_ok is False


def test_a_container_without_a_limit_has_the_machines_memory(tmp_path):
    (tmp_path / "memory.max").write_text("max\n")
    assert fitness.available_memory_bytes(tmp_path) > 100_000_000
    assert fitness.available_memory_bytes(tmp_path / "absent") > 100_000_000


@pytest.mark.parametrize(("seconds", "is_ok"), [(0, True), (-59, True), (61, False), (-3600, False)])
def test_a_clock_far_from_the_storages_is_unfit(seconds, is_ok):
    assert fitness.check_clock(NOW + timedelta(seconds=seconds), NOW).is_ok is is_ok


def test_without_a_fleet_the_clock_is_not_judged():
    check = fitness.check_clock(NOW, None)
    assert check.is_ok is None
    assert fitness.why_unfit([check]) == ""


def test_uncorrected_errors_make_only_their_own_gpu_unfit():
    first, second = gpus(TWO_GPUS)
    assert fitness.why_unfit(fitness.check_gpus(GpuLook((first,)), "")) == ""
    assert "5026 uncorrected" in fitness.why_unfit(fitness.check_gpus(GpuLook((second,)), ""))
    assert own_gpus({"CUDA_VISIBLE_DEVICES": "GPU-bbbb"}, [first, second]) == (second,)
    assert own_gpus({}, [first, second]) == (first, second)


def test_reports_of_failing_hardware_count_and_those_of_programs_do_not():
    first, second = gpus(TWO_GPUS)
    assert hardware_xids(LOG, [first]) == []
    assert hardware_xids(LOG, [second]) == ["79 (0001:b3:00)"]
    (xids,) = [check for check in fitness.check_gpus(GpuLook((second,)), LOG) if check.name == "Xid"]
    assert xids.is_ok is False


def test_counters_that_a_gpu_does_not_have_are_not_held_against_it():
    (old,) = gpus(OLD_GPU)
    assert (old.memory_bytes, old.uncorrected_errors) == (None, None)
    assert fitness.why_unfit(fitness.check_gpus(GpuLook((old,)), None)) == ""


def test_pages_that_wait_for_retirement_make_a_gpu_unfit():
    (waiting,) = gpus(TWO_GPUS.splitlines()[0].replace(", No", ", Yes"))
    assert "retired" in fitness.why_unfit(fitness.check_gpus(GpuLook((waiting,)), ""))


@pytest.mark.parametrize("look", [GpuLook(()), GpuLook((), "nvidia-smi did not answer within 20 s")])
def test_a_driver_that_shows_no_gpu_is_unfit_for_inference_on_one(look):
    assert fitness.why_unfit(fitness.check_gpus(look, None))


@pytest.mark.parametrize(
    ("named", "expected"),
    [(None, ["GPU-aaaa", "GPU-bbbb"]), ("1,0", ["1", "0"]), ("", []), ("-1", []), ("0,-1,1", ["0"])],
)
def test_visible_gpus_are_those_that_cuda_would_see(named, expected):
    environ = {} if named is None else {"CUDA_VISIBLE_DEVICES": named}
    assert visible_gpus(environ, GpuLook(gpus(TWO_GPUS))) == expected


def test_slots_get_no_gpu_when_inference_was_told_to_run_on_the_cpu():
    assert slot_gpus({"TILEFLEET_CONSUMER_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": "0,1"}) == []
    assert slot_gpus({"TILEFLEET_CONSUMER_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": "0,1"}) == ["0", "1"]
    with pytest.raises(BadInput, match="exclude each other"):
        slot_gpus({"TILEFLEET_CONSUMER_DEVICE": "cuda:1"})
    with pytest.raises(BadInput, match="names no GPU"):
        slot_gpus({"TILEFLEET_CONSUMER_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": ""})


def test_slots_of_a_gpu_machine_start_without_its_gpu_since_only_they_can_report_it(tmp_path, monkeypatch):
    driver = FakeGpu(tmp_path / "driver")
    driver.fails("Unable to determine the device handle: GPU is lost.")
    monkeypatch.setenv("PATH", driver.path)
    assert slot_gpus({"TILEFLEET_CONSUMER_DEVICE": "cuda"}) == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TILEFLEET_CONSUMER_DEVICE": "cuda"}, True),
        ({}, False),  # a person who counted wrong
        ({"TILEFLEET_CONSUMER_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": "0"}, False),
    ],
)
def test_only_a_machine_that_was_told_of_its_gpus_can_have_lost_one(environ, expected):
    assert is_gpu_machine(environ) is expected


@pytest.mark.gpu
def test_a_gpu_of_this_machine_is_seen_with_its_memory():
    look = look_at_gpus()
    if not look.gpus:
        pytest.skip("there is no GPU here")
    assert all(gpu.uuid.startswith("GPU-") and (gpu.memory_bytes or 0) > 1e9 for gpu in look.gpus)


def test_the_processors_bf16_is_told_by_its_flags(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx512_bf16 amx_bf16\n")
    flags = fitness.cpu_flags(tmp_path / "cpuinfo")
    assert "bf16 by amx_bf16, avx512_bf16" in fitness.check_device("cpu", flags, 4).found
    assert "slow" in fitness.check_device("cpu", [], 4).found
    assert fitness.cpu_flags(tmp_path / "absent") == []
