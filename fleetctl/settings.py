"""fleetctl's settings: one frozen value, from `TILEFLEET_FLEETCTL_*`, checked at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.environment import program_variables
from contract.errors import BadInput


class Settings(BaseModel):
    """What fleetctl may be told. Every field is also `TILEFLEET_FLEETCTL_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int = Field(8, ge=1, le=64, description="Blobs that are read at a time.")
    refresh_seconds: float = Field(
        3.0, ge=0.2, le=600, description="Between two looks of `fleetctl status --watch`."
    )

    price_list: str = Field(
        "https://prices.azure.com/api/retail/prices",
        description="Azure's public price list; empty: never asked, kept and shipped prices are used.",
    )

    metrics: str = Field(
        "",
        pattern=r"^((\S+:)?\d+)?$",
        description="PORT of this machine, or HOST:PORT, at which `fleetctl watch` serves Prometheus metrics; "
        "empty: nowhere.",
    )
    metrics_token: str = Field(
        "", repr=False, description="What readers of the metrics must bring, anywhere but on loopback."
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from variables. BadInput lists all problems; unknown variables of ours are problems."""
        values: dict[str, Any] = dict(program_variables(environ, "FLEETCTL", frozenset(cls.model_fields)))
        try:
            return cls(**values)
        except ValidationError as error:
            raise BadInput("; ".join(_problem(entry) for entry in error.errors())) from error


def _problem(entry: Any) -> str:
    field = ".".join(str(part) for part in entry["loc"]).upper()
    return f"TILEFLEET_FLEETCTL_{field}: {entry['msg']} (got {entry['input']!r})"
