"""A tile's year of Sentinel-1, one image per day and flight direction, straight into the cube's arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.cube import RADAR_CHANNELS
from consumer.imagery.layer import Layer
from consumer.imagery.search import Scene
from consumer.imagery.tile_reads import TileReads
from consumer.recipes.tessera import sentinel1
from consumer.recipes.tessera.sentinel1 import Bools, Decibels
from consumer.recipes.tessera.series import day_of_year, keep_in_place

ORBITS = ("ascending", "descending")
NODATA = -32768.0
# Upstream warps the two archives differently, and each checkpoint has seen its own.
LAYERS = {
    "mpc": Layer("float32", nodata=NODATA, is_bilinear=False),
    "aws": Layer("float32", nodata=NODATA, is_bilinear=True),
}


@dataclass(frozen=True, slots=True)
class RadarYear:
    """One direction: (T, H, W, 2) and (T,) as in the cube, and the scenes that are in it."""

    images: Decibels
    doys: NDArray[np.int16]
    used: Sequence[Scene]


def usable_scenes(scenes: Sequence[Scene], orbit: str) -> list[Scene]:
    """Scenes of the direction with both polarisations."""
    return [scene for scene in scenes if scene.orbit == orbit and not _why_left_out(scene)]


def left_out(scenes: Sequence[Scene]) -> Mapping[str, int]:
    """How many of the catalogue's scenes are not asked for, by why."""
    reasons = Counter(_why_left_out(scene) for scene in scenes)
    return {reason: count for reason, count in sorted(reasons.items()) if reason}


def _why_left_out(scene: Scene) -> str:
    """Empty: it is asked for. Over ice and open sea the satellites send HH and HV, which no checkpoint has seen."""
    if not set(RADAR_CHANNELS) <= scene.assets.keys():
        is_polar = "HH" in scene.polarisations
        return "Sentinel-1 HH/HV only" if is_polar else "Sentinel-1 without VV and VH"
    return "" if scene.orbit in ORBITS else "Sentinel-1 of unknown orbit"


@dataclass(frozen=True, slots=True)
class RadarReading:
    """How this tile's scenes become a RadarYear."""

    reads: TileReads
    land: Bools
    source: str
    min_coverage_percent: float

    def read_year(self, scenes: Sequence[Scene], advance: Callable[[int], None]) -> RadarYear:
        """Scenes of one direction, sorted by time; `advance` is told of each day that is behind us."""
        days = [(date, list(group)) for date, group in groupby(scenes, key=lambda scene: scene.date)]
        images = np.zeros((len(days), *self.land.shape, len(RADAR_CHANNELS)), dtype=np.int16)
        used = self.reads.run(
            [partial(self._read_day, of_day, images[index]) for index, (_, of_day) in enumerate(days)],
            lambda: advance(1),
        )
        kept = np.array([bool(scenes_of_day) for scenes_of_day in used], dtype=np.bool_)
        doys = np.array([day_of_year(date) for date, _ in days], dtype=np.int16)
        return RadarYear(
            images=keep_in_place(images, kept),
            doys=keep_in_place(doys, kept),
            used=[scene for scenes_of_day in used for scene in scenes_of_day],
        )

    def _read_day(self, scenes: Sequence[Scene], image: Decibels) -> list[Scene]:
        """Fill (H, W, 2) from the day's scenes in their order; returns those that were of use."""
        used = []
        for scene in scenes:
            channels = self._read_scene(scene)
            for number, decibels in enumerate(channels):
                if decibels is not None:
                    sentinel1.fill_gaps(image[:, :, number], decibels)
            if any(decibels is not None for decibels in channels):
                used.append(scene)
        return used

    def _read_scene(self, scene: Scene) -> list[Decibels | None]:
        """Per channel (H, W), None where it covers too little. A scene with a lost file gives none at all."""
        channels: list[Decibels | None] = []
        for channel in RADAR_CHANNELS:
            pixels = self.reads.band(scene, channel, LAYERS[self.source])
            if pixels is None:
                return []
            with self.reads.computing:
                backscatter = pixels.astype(np.float32, copy=False)
                covers = sentinel1.coverage_percent(backscatter, self.land) >= self.min_coverage_percent
                channels.append(sentinel1.to_decibels(backscatter, self.land) if covers else None)
        return channels
