"""An embedding that was interrupted and gone on from is the one of an undisturbed run, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import numpy as np
import pytest

from consumer.checkpoints.blocks import Blocks
from consumer.checkpoints.find import differences
from consumer.imagery.cube import Cube
from consumer.imagery.search import Scene
from consumer.recipe import Checkpointing, Plan
from consumer.recipes.tessera.download import Downloaded
from consumer.recipes.tessera.engine import Engine, blocks
from consumer.recipes.tessera.recipe import TesseraRecipe
from consumer.recipes.tessera.tile_land import tile_land
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.errors import GiveUp, Stopped
from tests.golden import small_tile, tiny_weights
from tests.unit.consumer import cube_rig

ROWS = 2
HEIGHT = 9
TOTAL = 5


def engine_of(model: str = "v2-nano") -> Engine:
    return Engine(tiny_weights(model), threads=1)


def interrupted(engine: Engine, cube: Cube, land, finished: Blocks, at: int) -> None:
    """Infer until so many blocks are finished in all, and stop in the middle of the next one."""
    stop = Event()

    def watch(_share: float) -> None:
        if finished.finished == at:
            stop.set()

    with pytest.raises(Stopped):
        engine.infer(cube, land, block_rows=ROWS, progress=watch, stop=stop, finished=finished)
    assert finished.finished == at


def stored(finished: Blocks) -> list[tuple[bytes, ...]]:
    """As they come back from the storage: copies."""
    return [tuple(bytes(buffer) for buffer in block) for block in finished.since(0)]


@pytest.mark.parametrize("model", ["v1.1", "v2-nano"])
@pytest.mark.parametrize("at", range(TOTAL))
def test_interrupted_at_any_block_the_rest_completes_the_same_bytes(model, at):
    engine, cube = engine_of(model), small_tile(height=HEIGHT)
    land = np.random.default_rng(5).random((HEIGHT, 7)) < 0.7
    whole = engine.infer(cube, land, block_rows=ROWS)
    first = Blocks({}, TOTAL)
    interrupted(engine, cube, land, first, at)
    second, shares = Blocks({}, TOTAL), []
    second.restore(stored(first))
    again = engine_of(model).infer(cube, land, block_rows=ROWS, progress=shares.append, finished=second)
    assert again.quantised.tobytes() == whole.quantised.tobytes()
    assert again.scales.tobytes() == whole.scales.tobytes()
    assert second.finished == TOTAL
    restored_land = 2 * land[: at * ROWS].sum()
    assert at == 0 or shares[0] == restored_land / (2 * land.sum())  # it did not start over
    assert shares[-1] == 1


def test_interrupted_at_every_block_in_turn_six_attempts_make_one_tile():
    engine, cube = engine_of(), small_tile(height=HEIGHT)
    whole = engine.infer(cube, block_rows=ROWS)
    kept: list[tuple[bytes, ...]] = []
    for at in range(TOTAL):
        attempt = Blocks({}, TOTAL)
        attempt.restore(kept)
        interrupted(engine, cube, None, attempt, at)
        kept += [tuple(bytes(b) for b in block) for block in attempt.since(len(kept))]
    last = Blocks({}, TOTAL)
    last.restore(kept)
    again = engine.infer(cube, block_rows=ROWS, finished=last)
    assert again.quantised.tobytes() == whole.quantised.tobytes()
    assert again.scales.tobytes() == whole.scales.tobytes()


def test_a_finished_block_is_handed_over_without_a_copy():
    finished = Blocks({}, TOTAL)
    result = engine_of().infer(small_tile(height=HEIGHT), block_rows=ROWS, finished=finished)
    for rows, (quantised, scales) in zip(
        blocks(small_tile(height=HEIGHT), ROWS), finished.since(0), strict=True
    ):
        assert np.shares_memory(np.frombuffer(quantised, np.int8), result.quantised[rows])
        assert np.shares_memory(np.frombuffer(scales, np.float32), result.scales[rows])


def test_a_block_of_another_size_is_given_up():
    finished = Blocks({}, TOTAL)
    finished.restore([(b"short", b"too")])
    with pytest.raises(GiveUp, match="5 bytes"):
        engine_of().infer(small_tile(height=HEIGHT), block_rows=ROWS, finished=finished)


def scene(number: int) -> Scene:
    return Scene(
        id=f"S2A_{number}",
        collection="sentinel-2-l2a",
        acquired=datetime(2024, 6, number, 10, 30, tzinfo=UTC),
        assets={"B02": f"https://x.example/{number}/B02.tif"},
        cloud_percent=3.0,
        orbit="unknown",
        baseline="05.10",
    )


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coast")
    cube_rig.write_land(folder / "land.fgb")
    opened = TesseraRecipe(cube_rig.context(folder / "land.fgb", folder))
    opened._engine.batch_size = replace(opened._engine.batch_size, block_pixels=30)
    return opened


def planned(recipe: TesseraRecipe, scenes) -> Plan:
    land = tile_land(cube_rig.TILE, recipe._settings, recipe._land_file)
    detail = TilePlan(land.grid, land.mask, land.window, optical=scenes, ascending=[], descending=[])
    return Plan(cube_rig.TILE, 1000, detail, inputs=detail.scene_list)


def prepared_of(recipe: TesseraRecipe, *, seed: int = 11, used=(1, 2)):
    plan = planned(recipe, [scene(number) for number in used])
    height, width = plan.detail.window_grid.shape
    downloaded = Downloaded(
        small_tile(height=height, width=width, seed=seed), [scene(number) for number in used], [], 0, {}
    )
    return recipe.prepare(plan, downloaded)


def test_the_files_of_a_resumed_tile_differ_in_the_provenance_alone(recipe, tmp_path):
    assert isinstance(recipe, Checkpointing)
    files = {}
    for name, at in (("undisturbed", None), ("resumed", 2)):
        prepared = prepared_of(recipe)
        if at is not None:
            first, stop = prepared_of(recipe), Event()

            def watch(_share: float, first=first, stop=stop, at=at) -> None:
                if first.blocks.finished == at:
                    stop.set()

            with pytest.raises(Stopped):
                recipe.infer(first, watch, stop)
            assert first.blocks.fingerprint == prepared.blocks.fingerprint
            prepared.blocks.restore(stored(first.blocks))
        folder = tmp_path / name
        folder.mkdir()
        result = recipe.infer(prepared, lambda share: None, Event())
        files[name] = {a.name: a.path.read_bytes() for a in recipe.write(prepared, result, folder).artifacts}
    assert files["resumed"].keys() == files["undisturbed"].keys()
    differing = [name for name in files["resumed"] if files["resumed"][name] != files["undisturbed"][name]]
    assert all(name.startswith("provenance/") for name in differing)
    told, usual = (json.loads(files[run][f"provenance/2024/{cube_rig.TILE}.json"]) for run in files)
    assert told.pop("seconds").keys() == usual.pop("seconds").keys()
    assert told == usual


def test_a_fingerprint_names_what_differs(recipe):
    ours = prepared_of(recipe).blocks.fingerprint
    assert differences(ours, prepared_of(recipe).blocks.fingerprint) == []
    assert differences(ours, prepared_of(recipe, seed=12).blocks.fingerprint) == ["cube"]
    assert differences(ours, prepared_of(recipe, used=(1, 3)).blocks.fingerprint) == ["scenes"]
    bf16 = {**ours, "dtype": "bf16 as torch.bfloat16", "device class": "NVIDIA A10 sm_86"}
    assert differences(ours, bf16) == ["device class", "dtype"]
    assert recipe.fingerprint().items() <= ours.items()
    assert {
        "weights",
        "code version",
        "device class",
        "dtype",
        "block height",
        "cube",
        "scenes",
    } <= ours.keys()


def test_a_plan_is_limited_to_the_scenes_of_a_checkpoint_or_made_anew(recipe):
    before = planned(recipe, [scene(1), scene(2)])
    inputs = json.loads(json.dumps(before.inputs))
    grown = planned(recipe, [scene(1), scene(2), scene(3)])
    again = recipe.plan_like(grown, inputs)
    assert again is not None
    assert [s.id for s in again.detail.optical] == ["S2A_1", "S2A_2"]
    assert again.inputs == inputs
    assert recipe.plan_like(planned(recipe, [scene(1), scene(3)]), inputs) is None


def test_a_cube_that_is_ready_is_left_to_its_digest(recipe):
    plan = planned(recipe, [scene(1)])
    assert recipe.plan_like(plan, None).detail is plan.detail
