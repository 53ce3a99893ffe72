"""The consumer's settings: one frozen value, from `TILEFLEET_CONSUMER_*` and the command line, checked at once."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import psutil
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from contract.drain import VM_NAME
from contract.environment import program_variables
from contract.errors import BadInput
from contract.heartbeat import WORKER_PATTERN

DEFAULT_MEMORY_SHARE = 0.6
LONGEST_SECONDS = 366 * 24 * 3600
"""A year: nobody means to wait for longer, and a thread cannot for more than three centuries."""
_SIZE = re.compile(r"(\d{1,18}(?:\.\d+)?)\s*([KMGT]?)i?B?", re.IGNORECASE)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")


def parse_memory(value: Any) -> Any:
    """Bytes from `8G`, `500M`, `60%` of this machine's memory, or a plain number."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if share := _SHARE.fullmatch(text):
        return int(psutil.virtual_memory().total * float(share.group(1)) / 100)
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"{value!r} is no amount of memory: write 8G, 500M or 60%")
    return int(float(match.group(1)) * 1024 ** " KMGT".index(match.group(2).upper() or " "))


def available_cores() -> int:
    """Cores of this process's affinity mask: what it may use, not what the machine has."""
    return len(os.sched_getaffinity(0))


class Settings(BaseModel):
    """What a worker may be told. Every field is also `TILEFLEET_CONSUMER_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    worker: str = Field("", description="Name in heartbeats and ledger; default: host name and process id.")
    lease_seconds: int = Field(90, ge=3, le=3600, description="Length of a lease; renewed every third of it.")
    grace_seconds: float = Field(
        25.0,
        ge=0,
        le=3600,
        description="From SIGTERM or a notice to the end: finish or hand back what is in hand.",
    )
    memory_bytes: Annotated[int, BeforeValidator(parse_memory)] = Field(
        default_factory=lambda: int(psutil.virtual_memory().total * DEFAULT_MEMORY_SHARE),
        ge=1024 * 1024,
        description="Most bytes of tiles held in memory: 8G, 500M, or a share such as 60 % of the machine.",
    )
    most_tiles: int = Field(
        8, ge=1, le=32, description="Most tiles in flight, whatever the measured times say."
    )
    threads: int = Field(
        default_factory=available_cores,
        ge=1,
        description="CPU threads for inference; default: the affinity mask's.",
    )
    device: str = Field("cpu", pattern="^(cpu|cuda|cuda:[0-9]+)$", description="Where inference runs.")
    cache_folder: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / "tilefleet-cache",
        description="Weights and boundaries, kept between runs.",
    )
    scratch_folder: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / "tilefleet-scratch",
        description="Artifacts on their way; may vanish with the machine.",
    )
    weights: Path | None = Field(
        None,
        description="Use this weights file and no other; a dataset that pins another makes the worker unfit.",
    )
    cubes_folder: Path | None = Field(
        None,
        description="Prepared cubes that other tools made, as <collection>/<year>/<tile>/*.npy: for datasets "
        "that were asked for with --set cubes=<collection>.",
    )
    halt_file: Path | None = Field(
        None,
        description='A file whose appearance is taken for an eviction notice; with {"drain": true} in it, for '
        "the wish to finish and leave.",
    )
    notices: Literal["none", "azure", "aws", "google"] | None = Field(
        None,
        description="Which cloud's notices are polled; default: azure in a fleet of that kind, else none.",
    )
    metadata_url: str = Field(
        "", pattern="^(https?://[^/?#@]+)?$", description="The metadata service; default: the cloud's own."
    )
    dead_man_seconds: float | None = Field(
        None,
        ge=0,
        le=LONGEST_SECONDS,
        description="An idle worker whose fleet has lost its controller deallocates its own machine after so long; "
        "0: never; default: 900 where notices come from Azure, else never.",
    )
    resource_manager_url: str = Field(
        "",
        pattern="^(https://[^/?#@]+|http://(127\\.0\\.0\\.1|localhost)(:[0-9]+)?)?$",
        description="Where a machine is deallocated; default: Azure's own.",
    )
    vm: str = Field(
        "",
        pattern=f"^({VM_NAME.pattern})?$",
        description="This machine in heartbeats and ledger; default: as Azure calls it where notices come from "
        "there, else the host name.",
    )
    boot_id: str = Field(
        "",
        pattern=f"^({VM_NAME.pattern})?$",
        description="Of the machine's current boot; default: the kernel's.",
    )
    heartbeat_seconds: float = Field(10.0, ge=0.2, le=600, description="Between two heartbeats.")
    ledger_seconds: float = Field(2.0, ge=0.1, le=60, description="Between two flushes of the ledger.")
    idle_poll_seconds: float = Field(
        15.0, ge=0.1, le=600, description="Longest pause between polls of empty queues."
    )
    checkpoint_every_seconds: float = Field(
        180.0,
        ge=0.05,
        le=LONGEST_SECONDS,
        description="Between two checkpoints of a tile that takes long.",
    )
    checkpoint_tiles_over_seconds: float = Field(
        900.0,
        ge=0,
        le=LONGEST_SECONDS,
        description="Tiles whose inference takes longer are saved now and then, the others on a notice only.",
    )
    download_limit_seconds: float = Field(
        900.0, gt=0, le=LONGEST_SECONDS, description="Shortest time without progress that ends it."
    )
    infer_limit_seconds: float = Field(
        1800.0, gt=0, le=LONGEST_SECONDS, description="The same for inference."
    )
    upload_limit_seconds: float = Field(
        600.0, gt=0, le=LONGEST_SECONDS, description="The same for upload and settling."
    )

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        if self.worker and not WORKER_PATTERN.fullmatch(self.worker):
            raise ValueError(f"worker {self.worker[:120]!r}: letters, digits, dots, dashes, at most 100")
        return self

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **given: Any) -> Settings:
        """Settings from variables, overridden by what was `given` (None: not given). BadInput lists all problems."""
        values: dict[str, Any] = dict(program_variables(environ, "CONSUMER", frozenset(cls.model_fields)))
        values |= {name: value for name, value in given.items() if value is not None}
        try:
            return cls(**values)
        except ValidationError as error:
            raise BadInput("; ".join(_problem(entry) for entry in error.errors())) from error

    def as_environ(self, *fields: str) -> dict[str, str]:
        """Some of the settings as variables, for a process of ours; those that are not set are left out."""
        values = {name: getattr(self, name) for name in fields}
        return {
            f"TILEFLEET_CONSUMER_{name.upper()}": str(value)
            for name, value in values.items()
            if value is not None
        }


def _problem(entry: Any) -> str:
    where = ".".join(str(part) for part in entry["loc"])
    message = str(entry["msg"]).removeprefix("Value error, ")
    return f"{where}: {message} (got {entry['input']!r})" if where else message
