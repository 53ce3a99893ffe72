"""Which source a dataset's cubes come from on this worker."""

from __future__ import annotations

from consumer.recipe import RecipeContext
from consumer.recipes.tessera.cube_folder import CubeFolder
from consumer.recipes.tessera.cube_source import CubeSource
from consumer.recipes.tessera.download import Imagery
from consumer.recipes.tessera.kept_cubes import KeptCubes, is_worth_keeping, settings_digest
from consumer.recipes.tessera.settings import TesseraSettings
from contract.errors import BadInput


def choose_source(context: RecipeContext, settings: TesseraSettings) -> CubeSource:
    """BadInput when this worker has not what the dataset pins."""
    dataset = context.dataset
    if settings.cubes:
        if context.cubes_folder is None:
            raise BadInput(
                f"it pins the cubes {settings.cubes}: put them on this machine and name their folder in "
                "TILEFLEET_CONSUMER_CUBES_FOLDER"
            )
        return CubeFolder(context.cubes_folder / settings.cubes, settings)
    # The land lies in the cache folder, which all slots of a machine share.
    imagery = Imagery(context.imagery.stac_url, settings, context.land.parent / "pace")
    if context.cube_store is None or not is_worth_keeping(dataset):
        return imagery
    return KeptCubes(imagery, context.cube_store, settings, settings_digest(dataset))
