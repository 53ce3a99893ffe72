"""A cube as one file: what its headers tell, and what is no cube."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from consumer.imagery.cube_file import cube_shape, read_cube, write_cube
from consumer.recipes.tessera.synthetic import synthetic_cube
from contract.errors import GiveUp


def as_file(**arrays) -> io.BytesIO:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file


def test_a_file_tells_its_size_and_gives_back_its_cube():
    cube, file = synthetic_cube(3, 4), io.BytesIO()
    write_cube(cube, file)
    shape = cube_shape(file)
    assert (shape.height, shape.width, shape.nbytes) == (3, 4, cube.nbytes)
    assert read_cube(file).digest() == cube.digest()


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (io.BytesIO(b"no zip"), "no file of a cube"),
        (as_file(other=np.zeros(3)), "this one has other"),
        (as_file(masks=np.array([{}], dtype=object)), "has masks"),
    ],
    ids=["no zip", "other arrays", "objects"],
)
def test_a_file_of_something_else_is_named(file, sentence):
    with pytest.raises(GiveUp, match=sentence):
        cube_shape(file)


def test_a_compressed_file_is_refused_before_it_can_unfold():
    file = io.BytesIO()
    np.savez_compressed(file, masks=np.zeros((1000, 1000)))
    with pytest.raises(GiveUp, match="compressed"):
        cube_shape(file)


def test_a_header_that_promises_more_than_there_is_is_refused():
    file, member = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<u2", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("masks.npy", member.getvalue())
    with pytest.raises(GiveUp, match="promises"):
        cube_shape(file)
