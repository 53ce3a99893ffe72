"""The account of an eviction: the first one stands, and only plain names are looked up."""

import pytest

from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import BadInput
from contract.eviction import read_eviction, record_eviction


@pytest.fixture
def store():
    return SimulatedBlobStore(SimulatedContainer(clock=lambda: 1_700_000_000.0))


def test_nobody_saw_one(store):
    assert read_eviction(store, "vm-1", "boot-1") is None


def test_the_first_account_stands(store):
    record_eviction(store, "vm-1", "boot-1", seen_by="supervisor", reason="Preempt")
    record_eviction(store, "vm-1", "boot-1", seen_by="controller", reason="deallocated")
    found = read_eviction(store, "vm-1", "boot-1")
    assert (found.seen_by, found.reason, found.seen) == ("supervisor", "Preempt", "2023-11-14T22:13:20+00:00")


def test_another_boot_of_the_same_machine_is_not_explained(store):
    record_eviction(store, "vm-1", "boot-1", seen_by="supervisor", reason="Preempt")
    assert read_eviction(store, "vm-1", "boot-2") is None


@pytest.mark.parametrize("vm", ["", "../x", "a/b", "x" * 101])
def test_a_name_that_is_none_is_refused(store, vm):
    with pytest.raises(BadInput, match="can name neither"):
        read_eviction(store, vm, "boot-1")
