"""What a recipe declares about itself, cheap to load: its name, its parameters, where its code is.

Recipes are found by the entry point group `tilefleet.recipes`, whose entries name a RecipeDeclaration.
The producer checks `--set key=value` against it without importing torch or GDAL; the consumer calls
`load()` for the code.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from contract.errors import BadInput

ENTRY_POINT_GROUP = "tilefleet.recipes"

ParameterValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """One `--set key=value` of a recipe."""

    name: str
    default: ParameterValue
    """Also decides the type."""
    help: str
    choices: tuple[ParameterValue, ...] = ()
    """Allowed values; empty: any of the type."""
    pattern: str = ""
    """A regular expression that texts other than the default match in full; empty: any text."""
    minimum: float | None = None
    maximum: float | None = None
    changes_result: bool = True
    """Part of the dataset's identity. Others (where to read from, say) may change freely."""

    def parse(self, text: str) -> ParameterValue:
        """The value that `text` means; BadInput with the parameter's rule otherwise."""
        value = self._convert(text)
        if self.choices and value not in self.choices:
            allowed = ", ".join(str(choice) for choice in self.choices)
            raise BadInput(f"{self.name}={text!r} is not one of {allowed}")
        if self.pattern and value != self.default and not re.fullmatch(self.pattern, text):
            raise BadInput(f"{self.name}={text[:80]!r} is not written as {self.pattern}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._check_range(value, text)
        return value

    def _convert(self, text: str) -> ParameterValue:
        if isinstance(self.default, bool):
            words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            if text.lower() not in words:
                raise BadInput(f"{self.name}={text!r} is not true or false")
            return words[text.lower()]
        try:
            return type(self.default)(text)
        except ValueError as error:
            raise BadInput(f"{self.name}={text!r} is not a number like {self.default}") from error

    def _check_range(self, value: float, text: str) -> None:
        low, high = self.minimum, self.maximum
        # Written so that NaN fails too.
        if not ((low is None or value >= low) and (high is None or value <= high) and value == value):  # noqa: PLR0124
            bounds = " and ".join(
                part
                for part in (
                    f"at least {low:g}" if low is not None else "",
                    f"at most {high:g}" if high is not None else "",
                )
                if part
            )
            raise BadInput(f"{self.name}={text} must be {bounds or 'a number'}")


@dataclass(frozen=True, slots=True)
class RecipeDeclaration:
    """A recipe as the producer sees it."""

    name: str
    summary: str
    code: str
    """`package.module:Class` with the recipe's code, imported only by the consumer."""
    code_version: str
    """Changes whenever the same inputs would give other bytes; pinned by every dataset."""
    parameters: tuple[Parameter, ...]
    uses_weights: bool = True
    collections: tuple[str, ...] = ()
    """STAC collections that its tiles are made from, asked about before tiles are enqueued; none: not asked."""

    def resolve(self, given: Mapping[str, str]) -> dict[str, ParameterValue]:
        """All parameters with their values; BadInput for an unknown name or a wrong value."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f", did you mean {close[0]}?" if close else f"; it has {', '.join(sorted(known))}"
                raise BadInput(f"recipe {self.name} has no parameter {name!r}{hint}")
        return {
            name: parameter.parse(given[name]) if name in given else parameter.default
            for name, parameter in known.items()
        }

    def load(self) -> Any:
        """The recipe's class (see consumer/recipe.py for what it promises)."""
        module, _, attribute = self.code.partition(":")
        return getattr(importlib.import_module(module), attribute)


def find_recipe(name: str) -> RecipeDeclaration:
    """The installed recipe of that name; BadInput names those that are installed."""
    found = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in found:
        close = get_close_matches(name, found, n=1)
        hint = f"did you mean {close[0]}?" if close else f"installed: {', '.join(sorted(found)) or 'none'}"
        raise BadInput(f"there is no recipe {name!r}; {hint}")
    declaration = found[name].load()
    if not isinstance(declaration, RecipeDeclaration):
        raise BadInput(
            f"the entry point of recipe {name!r} names no RecipeDeclaration; reinstall its package"
        )
    return declaration
