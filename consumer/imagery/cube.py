"""One tile's prepared satellite year: what preparation makes and inference reads.

The arrays and their file names are those of the "dpixel" directories that Tessera's own tools write,
so a folder made by either side opens in the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.errors import GiveUp

OPTICAL_CHANNELS = ("B04", "B02", "B03", "B08", "B8A", "B05", "B06", "B07", "B11", "B12")
"""Order of the last axis of `bands`. The checkpoints fix it; it is not the order of wavelengths."""
RADAR_CHANNELS = ("VV", "VH")
SUBFOLDERS = ("", "s2", "s1")
"""Where a file may lie below a cube's folder: flat, or Sentinel-2 and Sentinel-1 apart."""


@dataclass(frozen=True, eq=False)
class Cube:
    """Every observation of one tile, north up; T2, Ta, Td are the number of dates and may be 0."""

    bands: NDArray[np.uint16]
    """(T2, H, W, 10) Sentinel-2 surface reflectance x 10000, offset removed."""
    masks: NDArray[np.uint8]
    """(T2, H, W); not 0 = this observation is used, whatever its band values."""
    doys: NDArray[np.uint16]
    """(T2,) day of the year, 1..366."""
    sar_ascending: NDArray[np.int16]
    """(Ta, H, W, 2) Sentinel-1 backscatter in scaled decibels, VV then VH; both 0 = missing."""
    sar_ascending_doy: NDArray[np.int16]
    """(Ta,) day of the year."""
    sar_descending: NDArray[np.int16]
    """(Td, H, W, 2)"""
    sar_descending_doy: NDArray[np.int16]
    """(Td,)"""

    @property
    def height(self) -> int:
        return int(self.masks.shape[1])

    @property
    def width(self) -> int:
        return int(self.masks.shape[2])

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays hold."""
        return sum(array.nbytes for array in self._arrays().values())

    def check(self) -> None:
        """Raise GiveUp, naming the array, unless types, shapes and days are those promised above."""
        for name, array in self._arrays().items():
            dtype, dimensions = _LAYOUT[name]
            if array.dtype != dtype or array.ndim != dimensions:
                raise GiveUp(
                    f"{name} of the cube is {array.dtype} with {array.ndim} dimensions, "
                    f"expected {dtype} with {dimensions}"
                )
        height, width = self.masks.shape[1:]
        if not height or not width:
            raise GiveUp(f"the cube has {height} x {width} pixels, expected at least one")
        for images, days, channels in (
            ("bands", "doys", len(OPTICAL_CHANNELS)),
            ("sar_ascending", "sar_ascending_doy", len(RADAR_CHANNELS)),
            ("sar_descending", "sar_descending_doy", len(RADAR_CHANNELS)),
        ):
            self._check_series(images, days, (height, width, channels))
        if len(self.masks) != len(self.bands):
            raise GiveUp(f"the cube has {len(self.bands)} dates of bands but {len(self.masks)} of masks")

    def _check_series(self, images: str, days: str, image_shape: tuple[int, int, int]) -> None:
        stack, calendar = getattr(self, images), getattr(self, days)
        if stack.shape != (len(calendar), *image_shape):
            raise GiveUp(
                f"{images} of the cube has shape {stack.shape}, expected {(len(calendar), *image_shape)} "
                f"from its masks and {days}"
            )
        if len(calendar) and not 1 <= calendar.min() <= calendar.max() <= 366:
            raise GiveUp(
                f"{days} runs from {calendar.min()} to {calendar.max()}, expected days within 1..366"
            )

    def digest(self) -> str:
        """SHA-256 over name and little-endian bytes of each array, in order of the names."""
        sha256 = hashlib.sha256()
        for name, array in sorted(self._arrays().items()):
            sha256.update(name.encode())
            little_endian = array.dtype.newbyteorder("<")
            sha256.update(np.ascontiguousarray(array, dtype=little_endian).reshape(-1).view(np.uint8).data)
        return sha256.hexdigest()

    def save(self, folder: Path) -> None:
        """Write one .npy per array into the folder, which is made if it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in self._arrays().items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Cube:
        """Read and check a folder of arrays; GiveUp names the file that is missing or not as promised."""
        arrays: dict[str, Any] = {name: _read(folder, name) for name in _LAYOUT}
        cube = cls(**arrays)
        cube.check()
        return cube

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


_LAYOUT: dict[str, tuple[np.dtype[np.generic], int]] = {
    "bands": (np.dtype(np.uint16), 4),
    "masks": (np.dtype(np.uint8), 3),
    "doys": (np.dtype(np.uint16), 1),
    "sar_ascending": (np.dtype(np.int16), 4),
    "sar_ascending_doy": (np.dtype(np.int16), 1),
    "sar_descending": (np.dtype(np.int16), 4),
    "sar_descending_doy": (np.dtype(np.int16), 1),
}
"""Type and number of dimensions of each array."""


def _read(folder: Path, name: str) -> NDArray[np.generic]:
    paths = [folder / below / f"{name}.npy" for below in SUBFOLDERS]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise GiveUp(f"there is no {name}.npy in {folder}, nor in its s2 or s1")
    try:
        array: NDArray[np.generic] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise GiveUp(f"{path} cannot be read as a NumPy array: {error}") from error
    return _with_days_as_integers(array, path) if _LAYOUT[name][1] == 1 else array


def _with_days_as_integers(days: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    """Other writers store days as int32, int64 or float32; the value counts, not the type."""
    wanted = _LAYOUT[path.stem][0]
    if days.dtype == wanted:
        return days
    if days.dtype.kind not in "iuf":
        raise GiveUp(f"{path} holds {days.dtype}, expected days of the year as numbers")
    with np.errstate(invalid="ignore"):  # a NaN becomes some integer, which then differs from it
        as_integers = days.astype(wanted)
    if not np.array_equal(as_integers, days):
        raise GiveUp(f"{path} holds values that are no days of the year")
    return as_integers
