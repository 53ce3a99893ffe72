"""A job's budget: what may be typed, what is kept, what is refused."""

from __future__ import annotations

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.budget import parse_usd, read_budget, write_budget
from contract.errors import BadInput

JOB = "uk-2024-1f2e3d4c"


@pytest.fixture
def store():
    return SimulatedBlobStore(SimulatedContainer(lambda: 1_700_000_000.0))


def test_a_budget_is_kept_and_may_be_changed(store):
    assert read_budget(store, JOB) is None
    write_budget(store, JOB, 100.0)
    write_budget(store, JOB, 250.0)
    kept = read_budget(store, JOB)
    assert (kept.usd, kept.changed) == (250.0, "2023-11-14T22:13:20+00:00")


def test_no_limit_is_not_the_same_as_no_decision(store):
    write_budget(store, JOB, None)
    assert read_budget(store, JOB).usd is None


@pytest.mark.parametrize(("typed", "usd"), [("250", 250.0), (" $12.5", 12.5), ("none", None), ("None", None)])
def test_what_may_be_typed(typed, usd):
    assert parse_usd(typed) == usd


@pytest.mark.parametrize("typed", ["", "0", "-5", "nan", "inf", "1e12", "much", "12 EUR"])
def test_what_is_no_amount_is_refused(typed):
    with pytest.raises(BadInput, match="is no budget"):
        parse_usd(typed)


@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b'{"v":1,"usd":"9"}', b'{"v":1,"usd":-1}', b'{"v":2,"usd":5}']
)
def test_a_damaged_record_is_told_and_not_taken_for_no_limit(store, data):
    store.put(artifact_names.job_budget(JOB), data)
    with pytest.raises(BadInput, match="budget"):
        read_budget(store, JOB)
