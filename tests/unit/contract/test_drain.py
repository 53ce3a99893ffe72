"""The wish to drain a machine: asked, asked again, withdrawn."""

from __future__ import annotations

import pytest

from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.drain import is_drain_requested, request_drain, withdraw_drain
from contract.errors import BadInput


def test_a_drain_stands_until_it_is_withdrawn():
    store = SimulatedBlobStore(SimulatedContainer())
    request_drain(store, "vm-1", reason="first")
    request_drain(store, "vm-1", reason="second")
    assert is_drain_requested(store, "vm-1")
    assert withdraw_drain(store, "vm-1")
    assert not withdraw_drain(store, "vm-1")
    assert not is_drain_requested(store, "vm-1")


@pytest.mark.parametrize("vm", ["", "../x", "a/b", "x" * 101, "ü"])
def test_what_names_no_machine_cannot_be_drained(vm):
    with pytest.raises(BadInput, match="name a machine"):
        request_drain(SimulatedBlobStore(SimulatedContainer()), vm, reason="")
