"""The producer's settings: one frozen value, from the environment, checked at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.environment import program_variables
from contract.errors import BadInput

BOUNDARIES_VARIABLE = "TILEFLEET_BOUNDARIES"


def available_cores() -> int:
    """Cores of this process's affinity mask: what it may use, not what the machine has."""
    return len(os.sched_getaffinity(0))


class Settings(BaseModel):
    """What a producer may be told. Every field is also `TILEFLEET_PRODUCER_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processes: int = Field(
        default_factory=available_cores,
        ge=1,
        le=64,
        description="Processes that put messages on the queue; default: one per core.",
    )
    connections: int = Field(
        16, ge=1, le=256, description="Connections of each of them: messages on their way at a time."
    )
    cache_folder: Path = Field(
        default_factory=lambda: Path.home() / ".cache" / "tilefleet",
        description="Boundaries that were downloaded once, kept between runs.",
    )
    weights_limit_bytes: int = Field(
        8 * 1024**3, ge=1, description="Largest weights file that is read from disk, web or container."
    )
    boundaries: str = Field(
        "",
        description="Like --boundaries; its variable is TILEFLEET_BOUNDARIES.",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from variables. BadInput lists all problems; unknown variables of ours are problems."""
        own = frozenset(cls.model_fields) - {"boundaries"}
        values: dict[str, Any] = dict(program_variables(environ, "PRODUCER", own))
        if environ.get(BOUNDARIES_VARIABLE):
            values["boundaries"] = environ[BOUNDARIES_VARIABLE]
        try:
            return cls(**values)
        except ValidationError as error:
            raise BadInput("; ".join(_problem(entry) for entry in error.errors())) from error


def _problem(entry: Any) -> str:
    field = ".".join(str(part) for part in entry["loc"]).upper()
    return f"TILEFLEET_PRODUCER_{field}: {entry['msg']} (got {entry['input']!r})"
