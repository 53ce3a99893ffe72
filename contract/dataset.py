"""A dataset: one recipe with everything pinned that changes its bytes. Commits and artifacts belong to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.errors import BadInput
from contract.json_text import parse_object, short_digest, to_bytes
from contract.recipe import ParameterValue

VERSION = 1
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{2,80}")
UNTRAINED = "untrained"
PARTIAL_YEAR = "partial_year"
"""Pinned among the parameters of a dataset whose year was not over: it never shares a root with the whole year."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a dataset pins. Two records that differ in any field are two datasets."""

    recipe: str
    code_version: str
    """Of the recipe's preprocessing and network: other code, other dataset."""
    period: str
    """The calendar year, as four digits."""
    parameters: Mapping[str, ParameterValue]
    """Those that change the result, with their values."""
    weights_sha256: str | None
    """Hex digest of the weights file; None: seeded untrained weights, or a recipe without any."""
    is_trained: bool
    boundaries_sha256: str
    """Hex digest of the boundaries file whose coast the land masks follow."""

    @property
    def name(self) -> str:
        """Readable, with a digest of everything: `tessera-v2-nano-2024-untrained-1f2e3d4c`."""
        parts = [self.recipe, str(self.parameters.get("model", "")), self.period]
        if not self.is_trained:
            parts.append(UNTRAINED)
        parts.append(short_digest(self._record()))
        return "-".join(part for part in parts if part)

    @property
    def recipe_parameters(self) -> Mapping[str, ParameterValue]:
        """The parameters that the recipe itself declares."""
        return {name: value for name, value in self.parameters.items() if name != PARTIAL_YEAR}

    def encode(self) -> bytes:
        return to_bytes({"v": VERSION, "name": self.name, **self._record()})

    def _record(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "code_version": self.code_version,
            "period": self.period,
            "parameters": dict(self.parameters),
            "weights_sha256": self.weights_sha256,
            "is_trained": self.is_trained,
            "boundaries_sha256": self.boundaries_sha256,
        }


def decode_dataset(data: bytes) -> Dataset:
    """The record in `data`; BadInput when it is not one, or does not belong to the name it states."""
    record = parse_object(data, "the dataset record")
    if record.get("v") != VERSION:
        raise BadInput(f"the dataset record has version {record.get('v')!r}, this program knows {VERSION}")
    try:
        dataset = Dataset(
            recipe=str(record["recipe"]),
            code_version=str(record["code_version"]),
            period=str(record["period"]),
            parameters=dict(record["parameters"]),
            weights_sha256=record["weights_sha256"],
            is_trained=bool(record["is_trained"]),
            boundaries_sha256=str(record["boundaries_sha256"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"the dataset record lacks or misstates {error}") from error
    if record.get("name") != dataset.name:
        raise BadInput(
            f"the dataset record of {record.get('name')!r} was changed: its pins make {dataset.name}"
        )
    return dataset
