"""A tile's year of Sentinel-2, built day by day straight into the arrays that inference reads.

First the scene classifications of all days are read, which say what is worth reading; then the ten
bands of the scenes that were chosen. Never more raw images are held than there are reading threads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.archives import SCENE_CLASSES
from consumer.imagery.cube import OPTICAL_CHANNELS
from consumer.imagery.layer import Layer
from consumer.imagery.search import Scene
from consumer.imagery.tile_reads import TileReads
from consumer.recipes.tessera import sentinel2
from consumer.recipes.tessera.sentinel2 import Bools, SceneNumbers
from consumer.recipes.tessera.series import day_of_year, keep_in_place

CLASSES_LAYER = Layer("uint8", nodata=0, is_bilinear=False, stored_as=("uint8", "uint16"))
BAND_LAYER = Layer("uint16", nodata=0, is_bilinear=True)
READS_PER_DAY = 1 + len(OPTICAL_CHANNELS)


@dataclass(frozen=True, slots=True)
class OpticalDay:
    """One day worth reading."""

    date: str
    scenes: Sequence[Scene]
    chosen: SceneNumbers
    """(H, W), numbers into `scenes`."""


@dataclass(frozen=True, slots=True)
class OpticalYear:
    """(T, H, W, 10), (T, H, W) and (T,) as in the cube, and the scenes that are in it."""

    bands: NDArray[np.uint16]
    masks: NDArray[np.uint8]
    doys: NDArray[np.uint16]
    used: Sequence[Scene]


def usable_scenes(scenes: Sequence[Scene], max_cloud: float) -> list[Scene]:
    """Complete scenes below the cloud limit. One that states no cloud cover is judged by its pixels."""
    return [scene for scene in scenes if not _why_left_out(scene, max_cloud)]


def left_out(scenes: Sequence[Scene], max_cloud: float) -> Mapping[str, int]:
    """How many of the catalogue's scenes are not asked for, by why."""
    reasons = Counter(_why_left_out(scene, max_cloud) for scene in scenes)
    return {reason: count for reason, count in sorted(reasons.items()) if reason}


def _why_left_out(scene: Scene, max_cloud: float) -> str:
    if not {SCENE_CLASSES, *OPTICAL_CHANNELS} <= scene.assets.keys():
        return "Sentinel-2 without all bands"
    is_cloudy = scene.cloud_percent is not None and scene.cloud_percent >= max_cloud
    return "Sentinel-2 too cloudy" if is_cloudy else ""


def by_day(scenes: Sequence[Scene]) -> list[tuple[str, list[Scene]]]:
    """Scenes sorted by time -> (date, its scenes), dates ascending."""
    return [(date, list(group)) for date, group in groupby(scenes, key=lambda scene: scene.date)]


@dataclass(frozen=True, slots=True)
class OpticalReading:
    """How this tile's scenes become an OpticalYear."""

    reads: TileReads
    land: Bools
    source: str
    min_coverage_percent: float

    def read_year(self, scenes: Sequence[Scene], advance: Callable[[int], None]) -> OpticalYear:
        """`advance` is told how many of the READS_PER_DAY steps of each day are behind us."""
        candidates = by_day(scenes)
        found = self.reads.run(
            [partial(self._choose, date, of_day) for date, of_day in candidates], lambda: advance(1)
        )
        days = [day for day in found if day is not None]
        advance((len(candidates) - len(days)) * len(OPTICAL_CHANNELS))
        height, width = self.land.shape
        bands = np.zeros((len(days), height, width, len(OPTICAL_CHANNELS)), dtype=np.uint16)
        is_whole = self.reads.run(
            [
                partial(self._read_band, day, channel, bands[index, :, :, number])
                for index, day in enumerate(days)
                for number, channel in enumerate(OPTICAL_CHANNELS)
            ],
            lambda: advance(1),
        )
        kept: Bools = np.all(np.reshape(is_whole, (len(days), len(OPTICAL_CHANNELS))), axis=1)
        return _assemble(
            [day for day, keep in zip(days, kept, strict=True) if keep], keep_in_place(bands, kept), self.land
        )

    def _choose(self, date: str, scenes: Sequence[Scene]) -> OpticalDay | None:
        """None: no scene of the day sees enough of the land."""
        readable: list[Scene] = []
        chosen = sentinel2.no_choice(self.land)
        for scene in scenes[: sentinel2.MAX_SCENES_PER_DAY]:
            pixels = self.reads.band(scene, SCENE_CLASSES, CLASSES_LAYER)
            if pixels is None:
                continue
            with self.reads.computing:
                sentinel2.choose_next(chosen, len(readable), pixels.astype(np.uint8, copy=False), self.land)
                readable.append(scene)
                if sentinel2.is_complete(chosen, self.land):
                    break
        if not readable or sentinel2.coverage_percent(chosen, self.land) < self.min_coverage_percent:
            return None
        return OpticalDay(date, readable, chosen)

    def _read_band(self, day: OpticalDay, channel: str, mosaic: NDArray[np.uint16]) -> bool:
        """Fill (H, W) of the cube; False when a scene's file is lost, and with it the day."""
        for number in sentinel2.scenes_chosen(day.chosen):
            pixels = self.reads.band(day.scenes[number], channel, BAND_LAYER)
            if pixels is None:
                return False
            with self.reads.computing:
                values = sentinel2.remove_offset(pixels.astype(np.uint16, copy=False), day.date, self.source)
                sentinel2.place_scene(mosaic, values, day.chosen, number)
        return True


def _assemble(days: Sequence[OpticalDay], bands: NDArray[np.uint16], land: Bools) -> OpticalYear:
    masks = np.zeros((len(days), *land.shape), dtype=np.uint8)
    for mask, day in zip(masks, days, strict=True):
        mask[day.chosen != sentinel2.NO_SCENE] = 1
    doys = np.array([day_of_year(day.date) for day in days], dtype=np.uint16)
    used = [day.scenes[number] for day in days for number in sentinel2.scenes_chosen(day.chosen)]
    return OpticalYear(bands, masks, doys, used)
