"""Which observations a model sees: upstream's indices, and what must hold for any count."""

from __future__ import annotations

import numpy as np
import pytest

from consumer.recipes.tessera.models import published_dimensions
from consumer.recipes.tessera.sampling import sampling_rule
from tests.golden import arrays_of

RULES = {
    "v11": sampling_rule(published_dimensions("v1.1")),
    "v2": sampling_rule(published_dimensions("v2-nano")),
}


@pytest.mark.parametrize("family", RULES)
def test_indices_are_exactly_upstreams(family):
    arrays = arrays_of("resample")
    ends = arrays["offset"][1:]
    expected = np.split(arrays[f"idx_{family}"], ends[:-1])
    for count, length, indices in zip(arrays["n"], arrays["target"], expected, strict=True):
        ours = RULES[family].positions(int(count), int(length))
        assert np.array_equal(ours, indices), f"{count} observations to {length}"


@pytest.mark.parametrize(
    ("count", "length"), [(1, 8), (8, 8), (9, 16), (255, 256), (256, 256), (257, 256), (1000, 256)]
)
@pytest.mark.parametrize("family", RULES)
def test_target_length_is_the_smallest_on_offer_that_holds_all(family, count, length):
    assert RULES[family].target_lengths(np.array([count])).tolist() == [length]


@pytest.mark.parametrize(("family", "length"), [("v11", 8), ("v2", 1)])
def test_no_observation_has_a_length_of_its_own(family, length):
    assert RULES[family].target_lengths(np.array([0, 3])).tolist() == [length, 8]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 11, 100, 255, 300, 2000])
@pytest.mark.parametrize("family", RULES)
def test_every_observation_is_used_when_there_is_room_and_none_twice_when_there_is_not(family, count):
    rule = RULES[family]
    length = int(rule.target_lengths(np.array([count]))[0])
    positions = rule.positions(count, length)
    assert len(positions) == length
    if count <= length:
        assert positions[:count].tolist() == list(range(count))
        assert 0 <= positions.min() <= positions.max() < count
    else:
        assert np.all(np.diff(positions) > 0)
        assert positions[-1] < count


def test_a_students_long_sequence_ends_with_its_last_observation():
    assert RULES["v2"].positions(1000, 256)[[0, -1]].tolist() == [0, 999]


def test_the_table_of_a_batch_holds_each_pixels_own_positions():
    counts = np.array([3, 8, 0, 3])
    table = RULES["v11"].position_table(counts, 8)
    assert table.shape == (4, 8)
    for row, count in zip(table, counts, strict=True):
        assert row.tolist() == RULES["v11"].positions(int(count), 8).tolist()
