"""A fleet file that a person writes while the controller runs: what counts at the next tick, and what does not."""

from __future__ import annotations

import pytest

from fleetctl.controller.policy_file import PolicyFile
from fleetctl.fleet_file import read_operator_file
from tests.unit.fleetctl.good_fleet_file import GOOD


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "uk.toml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def policy(path):
    return PolicyFile(read_operator_file(path, "uk"), lambda: read_operator_file(path, "uk"))


def test_a_raised_budget_counts_at_once_also_beside_a_pool_that_waits_for_another_controller(path, policy):
    before = policy()
    path.write_text(GOOD.replace("usd = 250", "usd = 4000").replace("max = 9", "max = 20"))
    assert policy().limits.usd == 4000
    assert policy().pools == before.pools


def test_a_mistake_in_it_or_a_file_that_is_gone_changes_nothing(path, policy):
    before = policy()
    path.write_text(GOOD.replace("usd = 250", "usd = -1 # a mistake"))
    assert policy() == before
    path.unlink()
    assert policy() == before
    path.write_text(GOOD.replace("usd = 250", "usd = 5000"))
    assert policy().limits.usd == 5000
