"""What the engine promises beside its numbers: masks, blocks, progress, stopping, refusals."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import numpy as np
import pytest
import torch

from consumer.recipes.tessera.device import naming_device_faults
from consumer.recipes.tessera.engine import Engine, blocks
from consumer.recipes.tessera.progress import Progress
from contract.errors import BadInput, GiveUp, Stopped, WorkerUnfit
from tests.golden import small_tile, tiny_weights

MODELS = ["v1.1", "v2-nano"]


def engine_of(model: str, **options) -> Engine:
    return Engine(tiny_weights(model), threads=1, **options)


@pytest.mark.parametrize("model", MODELS)
def test_a_repeat_gives_the_same_bytes(model):
    first, second = (engine_of(model).infer(small_tile(), block_rows=4) for _ in range(2))
    np.testing.assert_array_equal(first.quantised, second.quantised)
    np.testing.assert_array_equal(first.scales, second.scales)


@pytest.mark.parametrize("model", MODELS)
def test_a_block_alone_gives_the_bytes_that_it_has_within_the_tile(model):
    engine, cube = engine_of(model), small_tile(height=9)
    whole = engine.infer(cube, block_rows=4)
    for rows in blocks(cube, 4):
        alone = engine.infer_block(cube, rows, np.ones((rows.stop - rows.start, 7), dtype=bool))
        np.testing.assert_array_equal(alone.quantised, whole.quantised[rows])
        np.testing.assert_array_equal(alone.scales, whole.scales[rows])


def test_blocks_cover_every_row_once():
    assert blocks(small_tile(height=9), 4) == [slice(0, 4), slice(4, 8), slice(8, 9)]
    assert blocks(small_tile(height=9)) == [slice(0, 9)]


@pytest.mark.parametrize("model", MODELS)
def test_a_tile_without_land_or_observations_is_all_missing_or_encoded_from_zeros(model):
    engine = engine_of(model)
    no_land = engine.infer(small_tile(), np.zeros((6, 7), dtype=bool))
    assert not no_land.scales.any()
    cube = small_tile()
    nothing_seen = replace(
        cube,
        masks=np.zeros_like(cube.masks),
        sar_ascending=cube.sar_ascending[:0],
        sar_ascending_doy=cube.sar_ascending_doy[:0],
        sar_descending=cube.sar_descending[:0],
        sar_descending_doy=cube.sar_descending_doy[:0],
    )
    assert bool(engine.infer(nothing_seen).scales.any()) is (model == "v1.1")


@pytest.mark.parametrize("model", MODELS)
def test_a_cube_without_any_sentinel_2_date_is_inferred_from_sentinel_1(model):
    cube = small_tile()
    radar_only = replace(cube, bands=cube.bands[:0], masks=cube.masks[:0], doys=cube.doys[:0])
    assert engine_of(model).infer(radar_only).scales.any()


@pytest.mark.parametrize("model", MODELS)
def test_progress_rises_to_exactly_one_even_where_nothing_is_encoded(model):
    shares: list[float] = []
    cube = small_tile(s2_special=[[0, 0, 0]], s1_special=[[0, 0, 0, 0]])
    engine_of(model).infer(cube, block_rows=2, progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert 0 < shares[0] < 1
    assert shares[-1] == 1


def test_a_stop_ends_the_work_at_the_next_batch():
    stop, shares = Event(), []

    def note(share: float) -> None:
        shares.append(share)
        if len(shares) == 2:
            stop.set()

    with pytest.raises(Stopped, match="asked to stop"):
        engine_of("v2-nano", batch_pixels=2).infer(small_tile(), progress=note, stop=stop)
    assert len(shares) == 2


@pytest.mark.parametrize(("model", "parts"), [("v1.1", 7), ("v2-nano", 4)])
def test_a_stop_is_heard_between_the_parts_of_a_batch(model, parts):
    """A batch of v1.1 takes seconds on one slow core; a layer or a time step does not."""
    stop = Event()

    class StopsAfterSomeParts(Progress):
        heard = 0

        def done(self, part: str) -> None:
            self.heard += 1
            if self.heard == parts:
                stop.set()
            super().done(part)

    progress = StopsAfterSomeParts(stop=stop)
    with pytest.raises(Stopped):
        engine_of(model).infer_block(
            small_tile(), slice(0, 6), np.ones((6, 7), dtype=bool), progress=progress
        )
    assert progress.heard == parts


@pytest.mark.parametrize("model", MODELS)
def test_a_tile_taken_up_again_at_a_block_has_the_bytes_of_one_never_interrupted(model):
    cube, engine, stop = small_tile(height=9), engine_of(model), Event()
    whole = engine.infer(cube, block_rows=4)
    done: list = []
    for rows in blocks(cube, 4):
        if len(done) == 1:
            stop.set()
            with pytest.raises(Stopped):
                engine.infer_block(cube, rows, np.ones((4, 7), dtype=bool), progress=Progress(stop=stop))
            engine = engine_of(model)  # another worker
        done.append(engine.infer_block(cube, rows, np.ones((rows.stop - rows.start, 7), dtype=bool)))
    np.testing.assert_array_equal(np.concatenate([block.quantised for block in done]), whole.quantised)
    np.testing.assert_array_equal(np.concatenate([block.scales for block in done]), whole.scales)


def test_floats_have_every_dimension_and_only_where_asked_for():
    engine = engine_of("v1.1")
    assert engine.infer(small_tile()).floats is None
    result = engine.infer(small_tile(), keep_floats=True)
    assert result.floats.shape == (6, 7, 20)
    reconstructed = result.quantised * result.scales[..., np.newaxis]
    np.testing.assert_allclose(reconstructed, result.floats, atol=result.scales.max())


def test_a_result_that_is_not_finite_is_given_up():
    weights = tiny_weights("v2-nano")
    broken = {name: tensor.clone() for name, tensor in weights.state.items()}
    broken["dim_reducer.4.bias"][3] = torch.inf
    with pytest.raises(GiveUp, match="42 of 42 pixels"):
        Engine(replace(weights, state=broken), threads=1).infer(small_tile())


def test_weights_of_one_data_source_are_not_used_on_the_other():
    weights = replace(tiny_weights("v1.1"), data_source="aws")
    with pytest.raises(BadInput, match="trained on aws imagery, not on mpc"):
        Engine(weights, data_source="mpc")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"dtype": "fp16"}, "no number type 'fp16': choose fp32 or bf16"),
        ({"batch_pixels": 0}, "batch_pixels is 0, expected 1 or more"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_any_work(options, complaint):
    with pytest.raises(BadInput, match=complaint):
        engine_of("v2-nano", **options)


def test_a_block_has_a_row_at_least():
    with pytest.raises(BadInput, match="block_rows is -4, expected 1 or more"):
        engine_of("v2-nano").infer(small_tile(), block_rows=-4)


@pytest.mark.parametrize("land", [np.ones((7, 6), dtype=bool), np.ones((6, 7), dtype=np.uint8)])
def test_a_land_mask_that_does_not_fit_is_refused(land):
    with pytest.raises(GiveUp, match="land mask"):
        engine_of("v2-nano").infer(small_tile(), land)


def test_a_device_that_cannot_be_is_bad_input_and_one_that_is_not_here_an_unfit_worker():
    with pytest.raises(BadInput, match="'abacus'"):
        engine_of("v2-nano", device="abacus")
    with pytest.raises(BadInput, match="'mps'"):
        engine_of("v2-nano", device="mps")
    if not torch.cuda.is_available():
        with pytest.raises(WorkerUnfit, match="finds no GPU"):
            engine_of("v2-nano", device="cuda")


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (torch.OutOfMemoryError("out of memory"), WorkerUnfit),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED"), WorkerUnfit),
        (RuntimeError("shapes cannot be multiplied"), RuntimeError),
    ],
)
def test_a_devices_fault_is_told_from_a_fault_of_ours(error, becomes):
    with pytest.raises(becomes), naming_device_faults(torch.device("cpu"), "v2-nano"):
        raise error


def test_threads_are_set_for_the_process():
    engine_of("v2-nano")
    assert torch.get_num_threads() == 1
