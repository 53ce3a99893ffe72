"""Imagery for the laptop cloud: a synthetic year over any place, or given pixels, as COGs with STAC items."""

from laptop_cloud.scenes.recipe import SceneRecipe, land_over
from laptop_cloud.scenes.write import Raster, write_scene
from laptop_cloud.scenes.year import make_year

__all__ = ["Raster", "SceneRecipe", "land_over", "make_year", "write_scene"]
