"""Rings on the sphere laid flat."""

import numpy as np
import pytest
import shapely

from producer.antimeridian import area_on_sphere, cut_at_antimeridian, ring_area


def ring(*points):
    return np.array([*points, points[0]], dtype=float)


def test_a_ring_that_steps_over_180_degrees_becomes_two_areas():
    area = ring_area(ring((179, 0), (-179, 0), (-179, 1), (179, 1)))
    assert area.equals(shapely.MultiPolygon([shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1)]))


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_it_does_not_matter_where_the_ring_begins(first):
    points = [(179, 0), (-179, 0), (-179, 1), (179, 1)]
    area = ring_area(ring(*points[first:], *points[:first]))
    assert area.area == pytest.approx(2)


@pytest.mark.parametrize(("latitude", "pole"), [(-80, -90), (85, 90)])
@pytest.mark.parametrize("step", [30, -30])
def test_a_ring_once_around_the_earth_contains_the_nearer_pole(latitude, pole, step):
    longitudes = np.arange(0, 360, step) if step > 0 else np.arange(360, 0, step)
    points = [((longitude + 180) % 360 - 180, latitude) for longitude in longitudes]
    area = ring_area(ring(*points))
    assert area.equals(shapely.box(-180, min(latitude, pole), 180, max(latitude, pole)))


def test_holes_stay_holes_on_both_sides():
    shell = [(178, 0), (-178, 0), (-178, 4), (178, 4)]
    hole = [(179, 1), (-179, 1), (-179, 3), (179, 3)]
    area = area_on_sphere(shapely.Polygon(shell, [hole]))
    assert area.area == pytest.approx(4 * 4 - 2 * 2)
    assert not area.intersects(shapely.Point(179.5, 2))
    assert not area.intersects(shapely.Point(-179.5, 2))


def test_longitudes_from_0_to_360_are_brought_back():
    assert cut_at_antimeridian(shapely.box(179, 0, 181, 1)).area == pytest.approx(2)
    assert cut_at_antimeridian(shapely.box(190, 0, 191, 1)).equals(shapely.box(-170, 0, -169, 1))
    assert cut_at_antimeridian(shapely.Polygon()).is_empty


def test_an_area_within_180_degrees_stays_as_it_is():
    whole_earth = shapely.box(-180, -90, 180, 90)
    assert cut_at_antimeridian(whole_earth) is whole_earth
