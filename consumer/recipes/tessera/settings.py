"""The recipe's parameters, under their names and with their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from consumer.recipes.tessera.declaration import DECLARATION
from contract.errors import BadInput
from contract.recipe import ParameterValue


@dataclass(frozen=True, slots=True)
class TesseraSettings:
    """What each means says declaration.py; a test compares the two."""

    model: str
    source: str
    resolution: float
    dtype: str
    max_cloud: float
    min_optical_coverage: float
    min_radar_coverage: float
    coast_margin_metres: float
    max_lost_percent: float
    download_threads: int
    cubes: str
    keep_cubes: int

    @classmethod
    def of(cls, values: Mapping[str, ParameterValue]) -> TesseraSettings:
        """From parsed values, defaults where one is missing; BadInput for a name that is no parameter."""
        known = {parameter.name: parameter for parameter in DECLARATION.parameters}
        unknown = sorted(values.keys() - known.keys())
        if unknown:
            raise BadInput(f"recipe tessera has no parameter {', '.join(unknown)}")
        given = {
            name: parameter.parse(str(values[name])) if name in values else parameter.default
            for name, parameter in known.items()
        }
        return cls(**{field.name: given[field.name] for field in fields(cls)})  # type: ignore[arg-type]
