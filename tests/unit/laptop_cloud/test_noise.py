import numpy as np

from laptop_cloud.scenes.noise import chance, normal_at, seed_of, smooth_field, uniform_at

COLUMNS = np.arange(-200, 300, dtype=np.int64)
ROWS = np.arange(5_000_000, 5_000_400, dtype=np.int64)


def test_values_belong_to_coordinates_and_not_to_the_window():
    whole = normal_at(7, COLUMNS, ROWS)
    assert np.array_equal(whole[50:90, 120:160], normal_at(7, COLUMNS[120:160], ROWS[50:90]))


def test_another_seed_gives_unrelated_values():
    one, other = normal_at(1, COLUMNS, ROWS).ravel(), normal_at(2, COLUMNS, ROWS).ravel()
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.01


def test_uniform_values_fill_the_unit_interval_evenly():
    values = uniform_at(3, COLUMNS, ROWS)
    assert 0 <= values.min() < values.max() < 1
    shares = np.histogram(values, bins=10, range=(0, 1))[0] / values.size
    assert np.allclose(shares, 0.1, atol=0.005)


def test_neighbours_in_noise_are_independent():
    values = normal_at(3, COLUMNS, ROWS)
    for first, second in ((values[:, 1:], values[:, :-1]), (values[1:], values[:-1])):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.01


def test_a_field_is_the_same_in_any_window_and_has_unit_variance():
    xs, ys = COLUMNS * 50.0, ROWS * 50.0
    whole = smooth_field(11, xs, ys, wavelength=600, octaves=3)
    assert np.array_equal(
        whole[30:60, 200:300], smooth_field(11, xs[200:300], ys[30:60], wavelength=600, octaves=3)
    )
    assert abs(whole.mean()) < 0.1
    assert 0.85 < whole.std() < 1.15


def test_a_field_is_smooth_below_its_shortest_wave():
    xs = np.arange(0, 1_000, 1.0)
    field = smooth_field(5, xs, xs[:3], wavelength=400, octaves=2)
    assert np.abs(np.diff(field, axis=1)).max() < 0.05


def test_seeds_tell_apart_parts_that_join_to_the_same_text():
    assert seed_of("ab", "c") != seed_of("a", "bc")
    assert 0 <= chance("anything") < 1
