"""A fleet file is refused whole, with every problem and its line, before anything is created."""

import pytest

from contract.errors import BadInput
from fleetctl.cloud.sizes import vcpus_of, why_never_spot
from fleetctl.controller.policy import Patience
from fleetctl.fleet_file import operators_problems, read_operator_file
from tests.unit.fleetctl.good_fleet_file import GOOD


@pytest.fixture
def path(tmp_path):
    return tmp_path / "uk.toml"


def problems(path, text):
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_operator_file(path, "uk")
    return str(caught.value).splitlines()


def test_a_good_file_makes_a_policy(path):
    path.write_text(GOOD)
    policy = read_operator_file(path, "uk").policy
    assert policy.limits.usd == 250
    assert [(pool.vcpus, pool.max_vms) for pool in policy.pools] == [(36, 9)]


def test_patience_is_the_usual_one_unless_the_file_says_otherwise(path):
    path.write_text(GOOD)
    assert read_operator_file(path, "uk").policy.patience == Patience()
    path.write_text(GOOD + "[patience]\nidle_grace_seconds = 60\n")
    assert read_operator_file(path, "uk").policy.patience == Patience(idle_grace=60)
    (told,) = problems(path, GOOD + "[patience]\ntick_seconds = 0.1\n")
    assert "line 21: patience.tick_seconds" in told


def test_all_problems_are_told_at_once_with_their_lines(path):
    text = GOOD.replace("max = 9", "max = 0\ncolour = 3").replace("usd = 250", "usd = -1")
    told = problems(path, text)
    assert len(told) == 3
    assert any("line 12: budget.usd" in line for line in told)
    assert any("line 19: pools.0.max" in line for line in told)
    assert any("line 20: pools.0.colour: it is unknown" in line for line in told)


def test_a_pool_that_is_there_twice_is_told_beside_all_other_problems(path):
    pool = GOOD[GOOD.index("[[pools]]") :]
    told = problems(path, GOOD + pool + "colour = 3\n")
    assert [line.partition(": ")[0] for line in told] == [f"{path}, line 27", f"{path}, line 20"]


def test_a_budget_that_is_no_amount_is_told_once(path):
    for wrong in ('"lots"', "true", "[3]"):
        told = problems(path, GOOD.replace("usd = 250", f"usd = {wrong}"))
        assert told == [f'{path}, line 12: budget.usd: write a finite number of USD, or "none"']


def test_one_pool_under_a_plain_header_says_how_pools_are_written(path):
    assert "each kind under a header [[pools]]" in problems(path, GOOD.replace("[[pools]]", "[pools]"))[0]


def test_what_is_wrong_with_machines_is_found_beside_wrong_addresses(path):
    path.write_text(GOOD.replace("max = 9", "max = 0"))
    assert "line 19: pools.0.max" in operators_problems(path)[0]
    path.write_text(GOOD)
    assert operators_problems(path) == []
    path.write_text(GOOD[: GOOD.index("[azure]")])
    assert operators_problems(path) == [], "a fleet without machines of its own"
    path.write_text("max = = 9")
    assert operators_problems(path) == [], "told already"


def test_a_missing_budget_is_named(path):
    told = problems(path, GOOD.replace("[budget]\nusd = 250\n", ""))
    assert told == [f"{path}: budget: it is missing"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("Standard_NV36ads_A10_v5", "Standard_B4ms", "burstable (B) sizes are never spot"),
        ("Standard_NV36ads_A10_v5", "NV36", "is no size of a machine"),
        ("Standard_NV36ads_A10_v5", "NV36", "line 13: pools.0: "),
        ("Standard_NV36ads_A10_v5", "Standard_A0", "is no size of a machine"),
        ("usd = 250", "usd = nan", "finite number"),
        ("usd = 250", "usd = inf", "finite number"),
        ("usd = 250", "usd = 250\nusd_per_day = inf", "finite number"),
        ("usd = 250", "usd = 250\n[limits.vcpus]\nwesteurope = -1", "line 14: limits.vcpus.westeurope"),
        ("max = 9", "max = 2\nmin = 3", "min 3 is more than max 2"),
        ("max = 9", 'max = 2\npriority = "cheap"', "'spot' or 'regular'"),
        ("usd = 250", "usd = 250\nstop_after = 2026-12-01T00:00:00", "with its zone"),
    ],
)
def test_what_cannot_be_is_refused_in_words(path, before, after, told):
    assert told in problems(path, GOOD.replace(before, after))[0]


def test_two_pools_of_one_name_are_refused_at_the_second(path):
    pool = GOOD[GOOD.index("[[pools]]") :]
    assert "line 20: a pool named 'a10' is there already" in problems(path, GOOD + pool)[0]


@pytest.mark.parametrize(
    ("size", "vcpus"),
    [
        ("Standard_NV36ads_A10_v5", 36),
        ("Standard_NV6ads_A10_v5", 6),
        ("Standard_D16s_v6", 16),
        ("Standard_NC8as_T4_v3", 8),
        ("Standard_E16-4s_v5", 16),
        ("Standard_ND96isr_H100_v5", 96),
        ("Standard_F72s_v2", 72),
    ],
)
def test_a_size_tells_what_it_takes_of_the_quota(size, vcpus):
    assert vcpus_of(size) == vcpus
    assert not why_never_spot(size)
