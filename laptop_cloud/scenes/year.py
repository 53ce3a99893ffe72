"""Makes a year of scenes over a place, once per recipe: COGs and their STAC items in a folder.

The folder's name is the recipe's hash, so another place or year is another folder, and a run that was
interrupted goes on with the scenes that it lacks.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from contract.errors import BadInput
from laptop_cloud import turns
from laptop_cloud.processes import end_with_parent
from laptop_cloud.scenes import items, passes, sentinel1, sentinel2
from laptop_cloud.scenes.passes import Pass
from laptop_cloud.scenes.pixel_grid import Granule, PixelGrid, granules_over, window_over
from laptop_cloud.scenes.recipe import SceneRecipe
from laptop_cloud.scenes.write import Raster, write_scene

MOST_PIXELS = 60_000_000
"""Of one scene; its arrays take some 60 bytes a pixel while it is made."""


@dataclass(frozen=True)
class _Scene:
    """One item to be made; a granule for Sentinel-2, none for Sentinel-1."""

    recipe: SceneRecipe
    overpass: Pass
    grid: PixelGrid
    granule: Granule | None

    @property
    def name(self) -> str:
        if self.granule:
            return items.sentinel2_id(self.overpass, self.granule.name)
        return items.sentinel1_id(self.overpass)

    @property
    def collection(self) -> str:
        return items.SENTINEL2_L2A if self.granule else items.SENTINEL1_RTC

    def folder(self, root: Path) -> Path:
        return root / self.collection / self.name


def make_year(recipe: SceneRecipe, root: Path, *, processes: int = 2) -> Path:
    """Every scene of the recipe below `root`/<digest>, which is returned; made ones are kept as they are.

    Shows progress on stderr. With `processes` = 0 the caller's own process does the work.
    """
    folder = root / recipe.digest
    scenes = _scenes_of(recipe)
    with turns.alone(root / f"{recipe.digest}.lock"):
        missing = [scene for scene in scenes if not (scene.folder(folder) / items.ITEM_FILE).exists()]
        if missing:
            _make_all(missing, folder, processes)
    return folder


def _scenes_of(recipe: SceneRecipe) -> list[_Scene]:
    """In an order that lets one process keep a granule's landscape for many dates."""
    spacing, epsg = recipe.spacing_metres, recipe.epsg
    optical = _passes(recipe, passes.SENTINEL2, recipe.sentinel2_dates)
    radar = _passes(recipe, passes.SENTINEL1, recipe.sentinel1_dates)
    window = window_over(recipe.bounds, epsg=epsg, spacing=spacing)
    scenes = [_Scene(recipe, frame, window, None) for one in radar for frame in passes.frames_of(one)] + [
        _Scene(recipe, one, granule.grid, granule)
        for granule in granules_over(recipe.bounds, epsg=epsg, spacing=spacing)
        for one in optical
    ]
    for scene in scenes:
        if scene.grid.width * scene.grid.height > MOST_PIXELS:
            raise BadInput(
                f"{scene.grid.width} x {scene.grid.height} pixels are too many for one synthetic scene: "
                f"take a smaller box or a spacing above {spacing} m"
            )
    return [scene for scene in scenes if not scene.overpass.swath.within(scene.grid.bounds).is_empty]


def _passes(recipe: SceneRecipe, mission: passes.Mission, count: int) -> list[Pass]:
    return passes.passes_of(
        mission, seed=recipe.seed, anchor=recipe.anchor_metres, year=recipe.year, count=count
    )


def _make_all(scenes: list[_Scene], folder: Path, processes: int) -> None:
    columns = (TextColumn("synthetic scenes"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    if not console.is_terminal:  # the bar is written there once, at its end
        console.print(f"drawing {len(scenes)} synthetic scenes, once: they stay in {folder}", soft_wrap=True)
    progress = Progress(*columns, TimeRemainingColumn(), console=console)
    with progress:
        task = progress.add_task("", total=len(scenes))
        if processes == 0:
            for scene in scenes:
                _make(scene, folder)
                progress.advance(task)
            return
        # Fresh processes: a fork of a process with threads may inherit a lock that nobody opens.
        # Left alone by a kill -9 they would wait for work for ever.
        with ProcessPoolExecutor(
            processes, mp_context=get_context("spawn"), initializer=end_with_parent, initargs=(os.getpid(),)
        ) as pool:
            waiting = [pool.submit(_make, scene, folder) for scene in scenes]
            try:
                for done in as_completed(waiting):
                    done.result()
                    progress.advance(task)
            finally:
                pool.shutdown(cancel_futures=True)


def _make(scene: _Scene, root: Path) -> None:
    if scene.granule:
        _make_sentinel2(scene, scene.granule, root)
    else:
        _make_sentinel1(scene, root)


def _make_sentinel2(scene: _Scene, granule: Granule, root: Path) -> None:
    recipe, overpass = scene.recipe, scene.overpass
    bands = sentinel2.scene_bands(
        overpass, scene.grid, seed=recipe.seed, land_wkb=recipe.land_wkb, latitude=recipe.place[1]
    )
    fine, coarse = scene.grid.transform, scene.grid.halved().transform
    classes = bands["SCL"]
    write_scene(
        root,
        scene_id=scene.name,
        collection=scene.collection,
        when=overpass.when,
        epsg=recipe.epsg,
        assets={
            name: Raster(pixels, fine if name in sentinel2.FINE_BANDS else coarse)
            for name, pixels in bands.items()
        },
        properties=items.sentinel2_properties(
            overpass,
            granule,
            baseline=sentinel2.baseline_of(overpass.when),
            cloud_percent=sentinel2.percent_of(classes, sentinel2.CLOUD_CLASSES),
            unseen_percent=sentinel2.percent_of(classes, [sentinel2.Scl.NO_DATA]),
        ),
        footprint=overpass.swath.within(scene.grid.bounds),
    )


def _make_sentinel1(scene: _Scene, root: Path) -> None:
    recipe, overpass = scene.recipe, scene.overpass
    bands = sentinel1.scene_bands(
        overpass, scene.grid, seed=recipe.seed, land_wkb=recipe.land_wkb, latitude=recipe.place[1]
    )
    write_scene(
        root,
        scene_id=scene.name,
        collection=scene.collection,
        when=overpass.when,
        epsg=recipe.epsg,
        assets={name: Raster(pixels, scene.grid.transform) for name, pixels in bands.items()},
        properties=items.sentinel1_properties(overpass),
        nodata=sentinel1.NO_DATA,
        footprint=overpass.swath.within(scene.grid.bounds),
    )
