"""Sentinel-2 as Tessera's checkpoints expect it: which pixels count, one image a day, one zero point.

Pure functions on arrays. The rules follow Tessera's published preprocessing, also where another rule
would be better: the networks have seen only these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
SceneNumbers = NDArray[np.int8]
"""Per pixel the number of a scene in its day's list, or NO_SCENE."""

NO_SCENE = -1
MAX_SCENES_PER_DAY = 127
"""What a SceneNumbers can tell apart. A cell lies in a handful of scenes of one overpass."""

REJECTED_CLASSES = (0, 1, 2, 3, 8, 9)
"""No data, defective, dark, cloud shadow, cloud (medium and high probability). Thin cirrus stays."""
_IS_CLEAR = np.ones(256, dtype=np.bool_)
_IS_CLEAR[list(REJECTED_CLASSES)] = False

OFFSET = 1000
LAST_DAY_WITHOUT_OFFSET = "2022-01-25"
"""After this day Planetary Computer's numbers carry OFFSET. Judged by the day, as upstream does, even
where a reprocessed older scene carries it too: the checkpoints have seen those uncorrected."""


def is_clear(scene_classes: NDArray[np.uint8]) -> Bools:
    """Whether each pixel's class (0..255) is a usable view of the ground."""
    clear: Bools = _IS_CLEAR[scene_classes]
    return clear


def choose_scenes(scene_classes: Sequence[NDArray[np.uint8]], land: Bools) -> SceneNumbers:
    """For each pixel on land the first scene of the day that sees it clearly: (H, W), else NO_SCENE."""
    chosen = no_choice(land)
    for number, classes in enumerate(scene_classes[:MAX_SCENES_PER_DAY]):
        choose_next(chosen, number, classes, land)
    return chosen


def no_choice(land: Bools) -> SceneNumbers:
    """(H, W) before the first scene of the day."""
    return np.full(land.shape, NO_SCENE, dtype=np.int8)


def choose_next(chosen: SceneNumbers, number: int, classes: NDArray[np.uint8], land: Bools) -> None:
    """Give the day's next scene the pixels on land that it sees clearly and no earlier one does."""
    chosen[(chosen == NO_SCENE) & land & is_clear(classes)] = number


def is_complete(chosen: SceneNumbers, land: Bools) -> bool:
    """Whether all of the land is seen: later scenes of the day cannot change anything."""
    return not np.any((chosen == NO_SCENE) & land)


def coverage_percent(chosen: SceneNumbers, land: Bools) -> float:
    """Share of the land that some scene of the day sees clearly."""
    land_pixels = int(np.count_nonzero(land))
    return 100.0 * int(np.count_nonzero(chosen != NO_SCENE)) / land_pixels if land_pixels else 0.0


def scenes_chosen(chosen: SceneNumbers) -> list[int]:
    """The numbers that occur, ascending: only these scenes' bands need to be read."""
    return [int(number) for number in np.unique(chosen) if number != NO_SCENE]


def place_scene(
    mosaic: NDArray[np.uint16], band: NDArray[np.uint16], chosen: SceneNumbers, number: int
) -> None:
    """Copy one scene's pixels to where it was chosen. What no scene sees clearly stays as it was (0):
    upstream takes a random scene there, under a mask that keeps it from ever being read."""
    np.copyto(mosaic, band, where=chosen == number)


def remove_offset(values: NDArray[np.uint16], date: str, source: str) -> NDArray[np.uint16]:
    """Digital numbers with the zero point of the older baselines; `date` is YYYY-MM-DD.

    Numbers below the offset stay, so 999 ends up above 1000. Earth Search has done it already.
    """
    if source != "mpc" or date <= LAST_DAY_WITHOUT_OFFSET:
        return values
    return np.where(values >= OFFSET, values - np.uint16(OFFSET), values)
