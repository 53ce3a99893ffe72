"""What a recipe offers to a person without a fleet: modules beside its code, found by their names.

A recipe whose code is `package.recipe:Class` may bring `package.infer_folder` (a prepared folder to result
files) and `package.bench` (how fast this machine is). They are looked up when a command asks for them, so that
neither the pipeline nor another recipe knows them.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

from contract.errors import BadInput
from contract.recipe import find_recipe

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class FolderRequest:
    """What a person asked for; the recipe refuses what makes no sense."""

    folder: Path
    """The prepared tile."""
    output: Path
    model: str
    weights: Path | None = None
    is_untrained: bool = False
    """Seeded weights instead of a file: for trying things out."""
    data_source: str | None = None
    """Who served the imagery; None: not said."""
    device: str = "cpu"
    dtype: str = "fp32"
    threads: int = 1
    keep_floats: bool = False


class FolderInference(Protocol):
    """One prepared folder, opened and found to be in order."""

    @property
    def name(self) -> str:
        """Of the tile, and so of its files."""
        ...

    @property
    def pixels(self) -> int: ...

    @property
    def notes(self) -> Sequence[str]:
        """What a person must not miss, said before the work begins."""
        ...

    def infer(self, progress: Progress, stop: threading.Event) -> None:
        """The result into memory. Stopped soon after `stop` is set."""
        ...

    def write(self) -> Sequence[Path]:
        """The result into files, each whole or not there; their paths."""
        ...


def recipe_tool(recipe: str, tool: str, *, purpose: str) -> ModuleType:
    """The module `tool` of a recipe; BadInput when there is no such recipe, or it brings none."""
    package = find_recipe(recipe).code.partition(":")[0].rpartition(".")[0]
    name = f"{package}.{tool}"
    if importlib.util.find_spec(name) is None:
        raise BadInput(f"recipe {recipe} cannot {purpose}: it has no module {name}")
    return importlib.import_module(name)


def chosen(recipe: str, name: str, given: Sequence[str]) -> list[str]:
    """The values of one of the recipe's parameters that were given, all that there are when none was."""
    parameter = next((each for each in find_recipe(recipe).parameters if each.name == name), None)
    if parameter is None:
        if given:
            raise BadInput(f"recipe {recipe} has no parameter {name!r}")
        return []
    return [str(parameter.parse(text)) for text in given] or [str(choice) for choice in parameter.choices]
