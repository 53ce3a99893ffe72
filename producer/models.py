"""`--set models=a,b`: several models on one set of prepared cubes, a dataset and a job each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contract.errors import BadInput
from contract.recipe import Parameter, RecipeDeclaration

MODEL: Final = "model"
MODELS: Final = "models"
WEIGHTS: Final = "weights"
"""`--set weights=...` is no parameter of a recipe: it is pinned by digest."""
KEEP_CUBES: Final = "keep_cubes"
DAYS_FOR_THE_NEXT_MODEL: Final = "2"
"""The jobs of the models follow each other in the queue."""


@dataclass(frozen=True, slots=True)
class ModelWish:
    """One model's share of what was typed."""

    given: Mapping[str, str]
    """Parameters of the recipe."""
    weights: str | None
    """Where to take them from, as typed."""
    weights_key: str = WEIGHTS
    """How `--set` names them."""


def split_by_model(assignments: Mapping[str, str], declaration: RecipeDeclaration) -> tuple[ModelWish, ...]:
    """One wish per model, in the order typed; a single one without `models=`. BadInput for what is unclear."""
    model = next((parameter for parameter in declaration.parameters if parameter.name == MODEL), None)
    if MODELS not in assignments or model is None:
        given = dict(assignments)
        _refuse_named_weights(given, declaration)
        weights = given.pop(WEIGHTS, None) if declaration.uses_weights else None
        return (ModelWish(given, weights),)
    if MODEL in assignments:
        raise BadInput("--set model= and --set models= exclude each other: leave one out")
    names = _names(assignments[MODELS], model)
    given = {
        key: value
        for key, value in assignments.items()
        if key not in {MODELS, WEIGHTS} and not key.startswith(f"{WEIGHTS}.")
    }
    weights_of = _weights_by_model(assignments, names)
    if len(names) > 1 and any(parameter.name == KEEP_CUBES for parameter in declaration.parameters):
        given.setdefault(KEEP_CUBES, DAYS_FOR_THE_NEXT_MODEL)
    return tuple(
        ModelWish({**given, MODEL: name}, weights_of.get(name), f"{WEIGHTS}.{name}") for name in names
    )


def _names(text: str, model: Parameter) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise BadInput(f"--set models={text[:80]!r} names no model between two commas: write models=a,b")
    for name in names:
        model.parse(name)
        if names.count(name) > 1:
            raise BadInput(f"--set models= names {name} twice: leave one out")
    return names


def _weights_by_model(assignments: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """From `weights.<model>=`, for all of the models or for none."""
    prefix = f"{WEIGHTS}."
    found = {key.removeprefix(prefix): value for key, value in assignments.items() if key.startswith(prefix)}
    for name in found:
        if name not in names:
            raise BadInput(f"--set {prefix}{name}= is of no model in models={','.join(names)}: leave it out")
    if WEIGHTS in assignments:
        if len(names) > 1 or found:
            wanted = ", ".join(f"--set {prefix}{name}=" for name in names)
            raise BadInput(f"--set weights= does not say of which model: write {wanted}")
        return {names[0]: assignments[WEIGHTS]}
    missing = [name for name in names if name not in found]
    if found and missing:
        raise BadInput(
            f"weights are given for {', '.join(found)} and not for {', '.join(missing)}: "
            f"add --set {prefix}{missing[0]}="
        )
    return found


def _refuse_named_weights(given: Mapping[str, str], declaration: RecipeDeclaration) -> None:
    named = next((key for key in given if key.startswith(f"{WEIGHTS}.")), None)
    if named is not None and declaration.uses_weights:
        raise BadInput(f"--set {named}= goes with --set models=: write --set weights= for a single model")
