"""How a machine is divided among slots."""

from pathlib import Path

import pytest

from consumer.fitness import check_gpus, why_unfit
from consumer.gpus import GpuLook, own_gpus, parse_gpus
from consumer.slot_process import slot_environ
from consumer.slots import LEAST_MEMORY_BYTES, plan_slots
from consumer.thread_caps import POOLS, thread_caps
from contract.errors import BadInput

GIB = 1024**3


@pytest.mark.parametrize(
    ("cores", "memory_gib", "slots"),
    [
        (1, 2, 1),
        (2, 13, 2),
        (2, 4, 1),  # memory for one
        (4, 10, 1),
        (8, 19, 1),
        (9, 40, 2),
        (16, 38, 2),
        (32, 77, 4),  # four workers of eight cores: what a fleet of 32-core machines settled on
        (252, 600, 32),
        (252, 41, 10),  # memory for ten
        (8, 1, 1),  # never none
    ],
)
def test_auto_follows_cores_and_memory(cores, memory_gib, slots):
    assert len(plan_slots("auto", range(cores), [], memory_gib * GIB)) == slots


@pytest.mark.parametrize(("cores", "count"), [(2, 2), (9, 2), (32, 5), (252, 32), (7, 7)])
def test_every_core_belongs_to_exactly_one_slot_and_shares_are_even(cores, count):
    ids = [3 * core for core in range(cores)]  # an affinity mask has gaps
    slots = plan_slots(str(count), ids, [], 100 * GIB)
    assert [core for slot in slots for core in slot.cores] == ids
    sizes = {slot.threads for slot in slots}
    assert max(sizes) - min(sizes) <= 1
    assert [slot.number for slot in slots] == list(range(count))


def test_memory_is_divided_and_never_promised_twice():
    slots = plan_slots("3", range(4), [], 10 * GIB)
    assert sum(slot.memory_bytes for slot in slots) <= 10 * GIB
    assert {slot.memory_bytes for slot in slots} == {10 * GIB // 3}


def test_each_gpu_has_one_slot_whatever_the_memory():
    slots = plan_slots("auto", range(16), ["GPU-a", "GPU-b"], LEAST_MEMORY_BYTES)
    assert [slot.gpu for slot in slots] == ["GPU-a", "GPU-b"]
    assert [slot.threads for slot in slots] == [8, 8]


def test_fewer_slots_than_gpus_leave_gpus_idle_as_asked():
    assert [slot.gpu for slot in plan_slots("1", range(4), ["0", "1"], GIB)] == ["0"]


def test_a_slot_whose_gpu_was_lost_gets_one_that_no_driver_shows_and_so_finds_itself_unfit():
    slots = plan_slots("3", range(4), ["GPU-a"], GIB, may_lack_gpus=True)
    assert slots[0].gpu == "GPU-a"
    shown = parse_gpus("GPU-a, NVIDIA A10, 00000000:65:00.0, 24512, 0, No\n")
    for slot in slots[1:]:
        environ = slot_environ({}, slot, name="w", scratch=Path("/tmp/s"))
        ours = own_gpus(environ, shown)
        assert why_unfit(check_gpus(GpuLook(ours), "")) == "GPU: none, wanted one that answers"
    assert len({slot.gpu for slot in slots}) == 3


def test_more_slots_than_cores_are_a_mistake_on_a_machine_of_gpus_too():
    with pytest.raises(BadInput, match="4 cores"):
        plan_slots("5", range(4), ["GPU-a"], GIB, may_lack_gpus=True)


@pytest.mark.parametrize(
    ("asked", "gpus", "words"),
    [
        ("many", [], "neither auto nor a number"),
        ("0", [], "neither auto nor a number"),
        ("-1", [], "neither auto nor a number"),
        ("5", [], "4 cores"),
        ("3", ["0", "1"], "2 GPUs"),
    ],
)
def test_slots_that_cannot_be_are_refused_in_words(asked, gpus, words):
    with pytest.raises(BadInput, match=words):
        plan_slots(asked, range(4), gpus, GIB)


def test_every_pool_is_capped_to_the_share():
    caps = thread_caps(3, 8 * GIB)
    assert all(caps[pool] == "3" for pool in POOLS)
    assert caps["GDAL_CACHEMAX"] == str(8 * 1024 * 5 // 100)
    assert all(isinstance(value, str) for value in caps.values())
