"""The modelled world: the same seed is the same story, nothing is lost in it, and its meter agrees with ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from contract.errors import BadInput
from fleetctl.money.first_figures import first_figures
from fleetctl.simulation.compare import as_json, compare, table_of
from fleetctl.simulation.plot import write_plot
from fleetctl.simulation.run import Run, run_controlled, run_swept
from fleetctl.simulation.world import TILE_BYTES, Region, World

pytestmark = pytest.mark.slow

TILES = 1500
STORMY = (Region("calm", 0.6, 0.001), Region("stormy", 0.6, 1.0), Region("wild", 0.5, 2.0))


def controlled(world: World, *, tiles: int = TILES, seed: int = 3, most_hours: float = 100.0) -> Run:
    return run_controlled(world, tiles, seed, most_hours=most_hours, on_tick=lambda _done: None)


@pytest.fixture(scope="module")
def stormy() -> Run:
    return controlled(World(24, STORMY))


def test_every_tile_is_done_once_however_often_machines_are_evicted(stormy: Run):
    assert stormy.meter.done == TILES
    assert stormy.meter.evictions > 20


def test_no_machine_is_left_when_it_ends(stormy: Run):
    assert stormy.curve.up[-1] == 0


def test_our_account_and_the_clouds_meter_agree_to_a_percent(stormy: Run):
    assert stormy.spend is not None
    assert stormy.spend.paid == pytest.approx(stormy.meter.usd, rel=0.01)
    assert sum(stormy.spend.by_kind.values()) == pytest.approx(stormy.spend.paid)
    assert sum(stormy.meter.sent_bytes.values()) == TILES * TILE_BYTES
    traffic_usd = TILES * TILE_BYTES / 1e9 * first_figures().usd_per_gb_elsewhere
    assert stormy.spend.by_kind["traffic"] == pytest.approx(traffic_usd, rel=0.01)


def test_far_fewer_starts_are_refused_than_by_a_sweep(stormy: Run):
    swept = run_swept(World(24, STORMY), TILES, 3, every_seconds=120.0, most_hours=100.0)
    print(f"refused: {stormy.meter.refused} of {stormy.meter.starts}, swept {swept.meter.refused}")
    assert stormy.meter.refused < swept.meter.refused / 2


def test_the_same_seed_is_the_same_story():
    world = World(12, STORMY)
    assert controlled(world, tiles=200).meter == controlled(world, tiles=200).meter
    assert controlled(world, tiles=200, seed=4).meter != controlled(world, tiles=200).meter


def test_a_fleet_that_is_kept_by_the_controller_is_cheaper_than_one_that_is_swept():
    runs = compare(World(30), 600, 1, most_hours=100.0, on_tick=lambda _done: None)
    ours, *swept = runs
    assert all(ours.meter.usd < run.meter.usd for run in swept)
    assert all(run.is_complete for run in runs)
    assert table_of(runs).row_count == len(runs)


def test_one_that_is_cut_off_says_so():
    run = controlled(World(3), most_hours=1.0)
    assert not run.is_complete
    assert run.hours == pytest.approx(1.0, abs=0.01)
    assert json.loads(json.dumps(as_json(World(3), 1, [run])))["runs"][0]["is_complete"] is False


def test_the_plot_is_a_picture_or_a_sentence(stormy: Run, tmp_path: Path):
    write_plot(tmp_path / "runs.png", "three regions", [stormy])
    with Image.open(tmp_path / "runs.png") as image:
        colours = image.getcolors(maxcolors=100_000)
        assert colours is not None
        assert len(colours) > 10
    with pytest.raises(BadInput, match="cannot be written"):
        write_plot(tmp_path / "nowhere" / "runs.png", "three regions", [stormy])
