from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from consumer.imagery.cube import Cube
from contract.errors import GiveUp
from tests.golden import small_tile


def test_a_saved_cube_is_read_back_unchanged(tmp_path):
    cube = small_tile()
    cube.save(tmp_path / "cube")
    again = Cube.load(tmp_path / "cube")
    assert again.digest() == cube.digest()
    assert (again.height, again.width) == (6, 7)
    assert again.nbytes == 20 * 6 * 7 * 21 + 20 * 2 + 9 * (6 * 7 * 4 + 2)


def test_sensors_may_lie_in_folders_of_their_own_with_days_of_other_types(tmp_path):
    cube = small_tile()
    cube.save(tmp_path)
    for folder, names in (
        ("s2", ("bands", "masks", "doys")),
        ("s1", ("sar_ascending", "sar_descending_doy")),
    ):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / f"{name}.npy").rename(tmp_path / folder / f"{name}.npy")
    np.save(tmp_path / "s2" / "doys.npy", cube.doys.astype(np.float32))
    np.save(tmp_path / "sar_ascending_doy.npy", cube.sar_ascending_doy.astype(np.int64))
    assert Cube.load(tmp_path).digest() == cube.digest()


def test_the_digest_changes_with_a_single_value():
    cube = small_tile()
    masks = cube.masks.copy()
    masks[0, 0, 0] ^= 1
    assert replace(cube, masks=masks).digest() != cube.digest()


def test_an_orbit_without_passes_is_a_good_cube():
    cube = small_tile()
    none = {"sar_ascending": cube.sar_ascending[:0], "sar_ascending_doy": cube.sar_ascending_doy[:0]}
    replace(cube, **none).check()


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("bands", lambda bands: bands.astype(np.float32), "bands of the cube is float32"),
        ("bands", lambda bands: bands[..., :9], "bands of the cube has shape"),
        ("masks", lambda masks: masks[:-1], "20 dates of bands but 19 of masks"),
        ("masks", lambda masks: masks[:, :0], "0 x 7 pixels"),
        ("doys", lambda doys: doys[:-1], "from its masks and doys"),
        ("doys", lambda doys: doys * 0, "doys runs from 0 to 0"),
        ("sar_descending_doy", lambda doys: doys + 366, "sar_descending_doy runs from"),
        ("sar_ascending", lambda passes: passes[:, :, :-1], "sar_ascending of the cube has shape"),
    ],
)
def test_an_array_that_is_not_as_promised_is_named(name, change, complaint):
    cube = small_tile()
    with pytest.raises(GiveUp, match=complaint):
        replace(cube, **{name: change(getattr(cube, name))}).check()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no doys.npy"),
        (b"no array", "cannot be read"),
        (np.full(20, 1.5), "no days of the year"),
        (np.full(20, np.nan), "no days of the year"),
        (np.full(20, -1), "no days of the year"),
        (np.full(20, "Monday"), "expected days of the year as numbers"),
        (np.full(20, object()), "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content, complaint):
    small_tile().save(tmp_path)
    path = tmp_path / "doys.npy"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=content.dtype == object)
    with pytest.raises(GiveUp, match=complaint):
        Cube.load(tmp_path)
