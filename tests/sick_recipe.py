"""A recipe on a machine that reckons wrong."""

from __future__ import annotations

from contract.errors import WorkerUnfit
from contract.recipe import RecipeDeclaration
from laptop_cloud.toy_recipe import DECLARATION as TOY
from laptop_cloud.toy_recipe import ToyRecipe

DECLARATION = RecipeDeclaration(
    name="toy",
    summary="Fails its self-test.",
    code="tests.sick_recipe:SickRecipe",
    code_version=TOY.code_version,
    parameters=TOY.parameters,
    uses_weights=False,
)


class SickRecipe(ToyRecipe):
    """Would work, if only its numbers came out right."""

    def selftest(self) -> None:
        raise WorkerUnfit("the self-test gave two results for one input")
