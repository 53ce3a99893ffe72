"""A cube as one file: an uncompressed .npz, whose size and shapes are known before it is read.

Uncompressed, because reading is then a copy: the second model waits for the network and not for a core.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, BinaryIO

import numpy as np

from consumer.imagery.cube import Cube
from contract.errors import GiveUp

_NAMES = tuple(field.name for field in fields(Cube))


@dataclass(frozen=True, slots=True)
class CubeShape:
    """What a cube will be once it is read."""

    height: int
    width: int
    nbytes: int
    """Of memory."""


def write_cube(cube: Cube, file: BinaryIO) -> None:
    """In pieces: no second copy of the year in memory."""
    np.savez(file, allow_pickle=False, **{name: getattr(cube, name) for name in _NAMES})


def cube_shape(file: BinaryIO) -> CubeShape:
    """From the headers alone; GiveUp when it is no file of a cube."""
    try:
        with zipfile.ZipFile(file) as archive:
            headers = {name.removesuffix(".npy"): _header(archive, name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise GiveUp(f"this is no file of a cube: {error}") from error
    if sorted(headers) != sorted(_NAMES):
        raise GiveUp(f"a file of a cube has {', '.join(_NAMES)}; this one has {', '.join(sorted(headers))}")
    shape = headers["masks"].shape
    if len(shape) != 3:
        raise GiveUp(f"masks of a cube have three dimensions, these have {len(shape)}")
    return CubeShape(shape[1], shape[2], sum(header.nbytes for header in headers.values()))


def read_cube(file: BinaryIO) -> Cube:
    """The arrays, checked; GiveUp when they are not as promised."""
    file.seek(0)
    try:
        with np.load(file, allow_pickle=False) as arrays:
            cube = Cube(**{name: arrays[name] for name in _NAMES})
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, NotImplementedError) as error:
        raise GiveUp(f"a cube cannot be read from its file: {error}") from error
    cube.check()
    return cube


@dataclass(frozen=True, slots=True)
class _Header:
    shape: tuple[int, ...]
    nbytes: int


def _header(archive: zipfile.ZipFile, name: str) -> _Header:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed, so its size cannot be trusted")
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = _READERS.get(version)
        if read is None:
            raise ValueError(f"{name} has a header of version {version}")
        shape, _, dtype = read(member)
    nbytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if nbytes > archive.getinfo(name).file_size:
        raise ValueError(f"{name} promises {nbytes} bytes and has fewer")
    return _Header(shape, nbytes)


_READERS: Mapping[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
