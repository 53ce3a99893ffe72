"""From raw arrays to normalised sequences, checked against sequences made one pixel at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.models import published_dimensions
from consumer.recipes.tessera.normalisation import statistics_for
from consumer.recipes.tessera.observations import batches, encoded_pixels, optical_sensor, radar_sensor
from consumer.recipes.tessera.sampling import sampling_rule
from contract.errors import BadInput
from tests.golden import small_tile

FAMILIES = ["v1.1", "v2"]
CPU = torch.device("cpu")
SPECIAL = {
    "s2_special": [[0, 0, 0], [1, 1, 1], [2, 2, 9], [5, 6, 0]],
    "s1_special": [[0, 0, 0, 0], [3, 3, 0, 4]],
}


def rule_of(family: str):
    return sampling_rule(published_dimensions("v1.1" if family == "v1.1" else "v2-nano"))


def optical_sequence(cube: Cube, row: int, column: int, family: str) -> list[np.ndarray]:
    statistics = statistics_for(family, "mpc").optical
    return [
        np.append((cube.bands[date, row, column] - statistics.mean) / statistics.std, cube.doys[date])
        for date in range(len(cube.doys))
        if cube.masks[date, row, column]
    ]


def radar_sequence(cube: Cube, row: int, column: int, family: str) -> list[np.ndarray]:
    statistics = statistics_for(family, "mpc")
    orbits = (
        (cube.sar_ascending, cube.sar_ascending_doy, statistics.ascending),
        (cube.sar_descending, cube.sar_descending_doy, statistics.descending),
    )
    return [
        np.append((passes[date, row, column] - orbit.mean) / orbit.std, days[date])
        for passes, days, orbit in orbits
        for date in range(len(days))
        if passes[date, row, column].any()
    ]


def written_out(batch) -> tuple[np.ndarray, np.ndarray]:
    """values (P, T, C) and days (P, T) of a batch's pixels, a row for every time step."""
    sequences = batch.sequences
    order = sequences.order.numpy()
    values = np.take_along_axis(sequences.values.numpy(), order[:, :, np.newaxis], axis=1)
    days = np.take_along_axis(sequences.days.numpy(), order, axis=1)
    return tuple(np.broadcast_to(part, (len(batch.pixels), *part.shape[1:])) for part in (values, days))


@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("sensor_of", "slow_sequence"), [(optical_sensor, optical_sequence), (radar_sensor, radar_sequence)]
)
def test_batches_hold_for_each_pixel_what_a_slow_reading_of_it_gives(
    family, sensor_of, slow_sequence, distinct
):
    cube, rule, rows = small_tile(**SPECIAL), rule_of(family), slice(0, 6)
    sensor = sensor_of(cube, rows, statistics_for(family, "mpc"), CPU)
    seen = []
    for batch in batches(sensor, np.arange(42), rule, lambda length: 40 // length, distinct=distinct):
        seen.extend(batch.pixels.tolist())
        for pixel, values, days in zip(batch.pixels, *written_out(batch), strict=True):
            slow = slow_sequence(cube, *divmod(int(pixel), 7), family)
            if not slow:
                assert not values.any()
                assert not days.any()
                assert len(days) == rule.empty_length
                continue
            expected = np.stack(slow)[rule.positions(len(slow), len(days))]
            np.testing.assert_allclose(values, expected[:, :-1], rtol=1e-5, atol=1e-6)
            assert days.tolist() == expected[:, -1].tolist()
    assert sorted(seen) == list(range(42))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dates", [20, 300])
def test_distinct_rows_are_as_few_as_the_observations_and_counted_as_often_as_shown(family, dates):
    cube, rule = small_tile(dates=dates, s2_special=[[0, 0, 0], [1, 1, 1], [2, 2, 3]]), rule_of(family)
    sensor = optical_sensor(cube, slice(0, 6), statistics_for(family, "mpc"), CPU)
    for batch in batches(sensor, np.arange(42), rule, lambda _: 100, distinct=True):
        order, copies = batch.sequences.order.numpy(), batch.sequences.copies
        _, rows, steps = batch.sequences.shape
        assert rows == min(max(sensor.counts[batch.pixels].max(), 1), steps)
        if copies is None:
            assert (order == np.arange(steps)).all()
        else:
            shown = [np.bincount(row, minlength=rows) for row in order]
            np.testing.assert_array_equal(copies.numpy(), shown)


def test_a_block_of_rows_sees_its_own_pixels_only():
    cube = small_tile()
    whole = optical_sensor(cube, slice(0, 6), statistics_for("v2", "mpc"), CPU)
    part = optical_sensor(cube, slice(2, 5), statistics_for("v2", "mpc"), CPU)
    assert part.counts.tolist() == whole.counts[14:35].tolist()
    rule, length = rule_of("v2"), int(rule_of("v2").target_lengths(whole.counts[14:15])[0])
    from_part = part.batch(np.array([0]), length, rule, distinct=False)
    from_whole = whole.batch(np.array([14]), length, rule, distinct=False)
    np.testing.assert_array_equal(from_part.sequences.values, from_whole.sequences.values)


def test_sentinel_1_is_judged_on_raw_values_and_one_polarisation_suffices():
    cube = small_tile()
    passes = np.zeros_like(cube.sar_ascending)
    passes[1, 2, 3] = (0, 4000)
    passes[2, 2, 3] = (4000, 0)
    cube = replace(cube, sar_ascending=passes, sar_descending=np.zeros_like(cube.sar_descending))
    sensor = radar_sensor(cube, slice(0, 6), statistics_for("v2", "mpc"), CPU)
    assert sensor.counts.sum() == sensor.counts[2 * 7 + 3] == 2


def test_sentinel_2_is_judged_by_the_mask_alone_and_counts_do_not_overflow():
    cube = small_tile(dates=300)
    cube = replace(cube, bands=np.zeros_like(cube.bands), masks=np.full_like(cube.masks, 255))
    assert set(optical_sensor(cube, slice(0, 6), statistics_for("v2", "mpc"), CPU).counts.tolist()) == {300}


def test_v1_encodes_a_pixel_that_nothing_saw_and_a_student_does_not():
    cube = small_tile(**SPECIAL)
    sensors = [
        sensor(cube, slice(0, 6), statistics_for("v2", "mpc"), CPU)
        for sensor in (optical_sensor, radar_sensor)
    ]
    land = np.ones(42, dtype=bool)
    land[41] = False
    assert encoded_pixels(*sensors, land, rule_of("v1.1")).tolist() == list(range(41))
    assert encoded_pixels(*sensors, land, rule_of("v2")).tolist() == list(range(1, 41))


def test_both_v1_checkpoints_have_their_own_statistics_and_other_sources_have_none():
    mpc, aws = (statistics_for("v1.1", source) for source in ("mpc", "aws"))
    assert not np.array_equal(mpc.optical.mean, aws.optical.mean)
    with pytest.raises(BadInput, match="'gee'"):
        statistics_for("v2", "gee")
