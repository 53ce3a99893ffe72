"""What `consumer infer` refuses, in words and before any work."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from consumer.recipes.tessera.infer_folder import open_folder
from contract.errors import BadInput
from tests.golden import small_tile
from tests.prepared_folder import request, save_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def tile(tmp_path):
    """A prepared tile of 6 x 7 pixels."""
    folder = tmp_path / "grid_-4.55_54.15"
    small_tile().save(folder)
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    """A v1.1 checkpoint of a tiny network, as the published ones are laid out."""
    path = tmp_path / "tessera_mpc.pt"
    save_checkpoint(path)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "v9"}, "there is no Tessera model 'v9'"),
        ({"dtype": "fp8"}, "dtype 'fp8'"),
        ({"device": "cuda"}, "try --device cpu"),
        ({"data_source": "gee"}, "data source 'gee'"),
        ({"data_source": "aws"}, "named after mpc, but --data-source says aws"),
        ({"weights": None}, "needs weights"),
        ({"is_untrained": True}, "exclude each other"),
        ({"weights": Path("/nowhere.pt")}, "no weights file /nowhere.pt"),
        ({"folder": Path("/nowhere")}, "no folder /nowhere"),
        ({"output": Path("/proc/out")}, "nothing can be written to /proc/out"),
        ({"model": "v2-nano"}, "no checkpoint of v2-nano"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_words(tile, checkpoint, changes, words):
    if changes.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(BadInput, match=words):
        open_folder(request(tile, **{"weights": checkpoint, **changes}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dim_reducer__4__weight": None}, "no matrix dim_reducer.4.weight"),
        ({"s2_backbone__attn_pool__query__weight": None}, "1 of its tensors are missing"),
        ({"s2_backbone__extra": torch.zeros(3)}, "1 of its tensors are unknown, such as s2_backbone.extra"),
        ({"s2_backbone__attn_pool__query__bias": torch.tensor([torch.nan])}, "not finite"),
    ],
)
def test_a_checkpoint_that_is_not_the_models_is_refused(tile, tmp_path, changes, words):
    path = tmp_path / "changed.pt"
    save_checkpoint(path, **changes)
    with pytest.raises(BadInput, match=words):
        open_folder(request(tile, weights=path))


def test_a_truncated_checkpoint_is_named_as_such(tile, checkpoint):
    os.truncate(checkpoint, checkpoint.stat().st_size // 2)
    with pytest.raises(BadInput, match="no complete torch checkpoint, fetch it again"):
        open_folder(request(tile, weights=checkpoint))


def with_nan(days):
    return np.where(np.arange(len(days)) == 1, np.nan, days.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("bands", lambda a: a.astype(np.float32), "bands of the cube is float32"),
        ("bands", lambda a: np.full(a.shape, np.nan, np.float32), "holds 8400 NaN of 8400"),
        ("bands", lambda a: a[..., :9], "bands of the cube has shape"),
        ("bands", lambda a: a[:-1], "bands of the cube has shape"),
        ("masks", lambda a: a[:-1], "20 dates of bands but 19 of masks"),
        ("masks", lambda a: a[:, :-1], "expected"),
        ("doys", lambda a: a * 0, "expected days within 1..366"),
        ("doys", lambda a: a + 366, "expected days within 1..366"),
        ("doys", with_nan, "holds 1 NaN of 20"),
        ("sar_ascending_doy", lambda a: a + 0.5, "no days of the year"),
        ("sar_descending", lambda a: a[..., 0], "4 dimensions|expected"),
    ],
)
def test_arrays_that_are_not_as_promised_are_named(tile, checkpoint, name, change, words):
    path = tile / f"{name}.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(BadInput, match=words) as refused:
        open_folder(request(tile, weights=checkpoint))
    assert str(tile) in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_array_is_named(tile, checkpoint, content):
    (tile / "masks.npy").write_bytes(content)
    with pytest.raises(BadInput, match=r"masks\.npy"):
        open_folder(request(tile, weights=checkpoint))


def test_a_missing_or_truncated_array_is_named(tile, checkpoint):
    path = tile / "bands.npy"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(BadInput, match=r"bands\.npy cannot be read"):
        open_folder(request(tile, weights=checkpoint))
    path.unlink()
    with pytest.raises(BadInput, match=r"there is no bands\.npy"):
        open_folder(request(tile, weights=checkpoint))
