"""Which tiles are done, from the names of commits."""

from __future__ import annotations

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.commit import standing_of
from contract.tile_id import GridCell, WebTile, parse_tile
from producer.done import FEW_TILES, read_standings

CELL = GridCell(row=541, column=-46)


@pytest.mark.parametrize(
    ("records", "is_done", "asked"),
    [
        ([], False, 1),
        (["g1"], True, 1),
        (["g1", "g1.revoked"], False, 2),
        (["g1", "g1.revoked", "g2"], True, 2),
        (["g1", "g1.revoked", "g10", "g10.revoked", "g2", "g9"], False, 11),
        (["g1", "notes.txt", "g0", "g1x"], True, 1),
    ],
)
def test_what_the_records_of_a_tile_say(records, is_done, asked):
    standing = standing_of(records)
    assert (standing.is_done, standing.asked) == (is_done, asked)


@pytest.mark.parametrize("count", [2, FEW_TILES + 1])
def test_few_tiles_are_looked_up_and_many_are_listed_with_one_result(count):
    store = SimulatedBlobStore()
    done, revoked, web = CELL, GridCell(row=541, column=-45), WebTile(14, 8000, 5300)
    for tile, generation in ((done, 1), (revoked, 3), (web, 1)):
        store.put(artifact_names.commit("d-1", tile, generation), b"")
    store.put(artifact_names.revocation("d-1", revoked, 3), b"")
    store.put(artifact_names.commits_prefix("d-1") + "not-a-tile/g1", b"")
    store.put(artifact_names.commit("d-10", GridCell(row=0, column=0), 1), b"")

    standings = read_standings(store, "d-1", [done, revoked, web], count)

    assert standings.has_done
    assert [standings.is_done(tile) for tile in (done, revoked, web)] == [True, False, True]
    assert standings.generation_to_ask(revoked) == 4
    assert not standings.is_done(GridCell(row=0, column=0))


@pytest.mark.parametrize("name", ["grid_-179.95_-89.95", "grid_179.95_89.95", "grid_-0.05_0.05"])
def test_the_corners_of_the_grid_are_told_apart(name):
    store, tile = SimulatedBlobStore(), parse_tile(name)
    store.put(artifact_names.commit("d-1", tile, 1), b"")
    standings = read_standings(store, "d-1", [tile], 1)
    corners = [GridCell(row=row, column=column) for row in (-900, 0, 899) for column in (-1800, -1, 1799)]
    assert [corner.name for corner in corners if standings.is_done(corner)] == [name]
