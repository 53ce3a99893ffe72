"""The operator's part of a fleet file: machines, money, limits. Every problem is told at once, with its line.

[azure]
subscription = "00000000-0000-0000-0000-000000000000"
resource_group = "uk-fleet"
identity = "/subscriptions/.../userAssignedIdentities/uk-workers"
ssh_public_key = "ssh-ed25519 AAAA..."
[budget]
usd = 250.0                # or "none"
usd_per_day = 60.0         # optional
stop_after = 2026-12-01T00:00:00Z   # optional
[limits]
vms = 40
[limits.vcpus]             # optional, per region
westeurope = 350
[patience]                 # optional
idle_grace_seconds = 300   # a machine without a tile goes after so long
tick_seconds = 15          # between two looks of the controller
[[pools]]
name = "a10"
region = "westeurope"
size = "Standard_NV36ads_A10_v5"
image = "/subscriptions/.../images/tilefleet-2026-11"
subnet = "/subscriptions/.../subnets/workers"
max = 9                    # min = 0, slots = 1, priority = "spot", disk_gb = 64 unless said otherwise
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contract.errors import BadInput
from contract.fleet import MAX_FILE_BYTES
from fleetctl.cloud.sizes import vcpus_of, why_never_spot
from fleetctl.controller.policy import Limits, Offer, Patience, Policy, Pool, Priority
from fleetctl.toml_lines import lines_of_keys

NAME_PATTERN = r"[a-z][a-z0-9]{0,15}"
RESOURCE_ID = r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/\S+"
DEFAULT_VMS = 50


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AzureTable(_Table):
    """Where the machines live, and as whom they act."""

    subscription: str = Field(pattern=r"^[0-9a-fA-F-]{36}$")
    resource_group: str = Field(pattern=r"^[A-Za-z0-9._()-]{1,90}$")
    identity: str = Field("", pattern=rf"^({RESOURCE_ID})?$")
    ssh_public_key: str = Field("", pattern=r"^((ssh|ecdsa)-\S+ \S+( .*)?)?$")
    resource_manager_url: str = Field("", pattern=r"^(https?://\S+)?$")
    """Another endpoint than Azure's own; the laptop cloud's."""


class BudgetTable(_Table):
    """What may be spent."""

    usd: Annotated[float, Field(allow_inf_nan=False)] | Literal["none"]
    usd_per_day: float | None = Field(None, gt=0, allow_inf_nan=False)
    stop_after: datetime | None = None

    @field_validator("usd")
    @classmethod
    def _positive(cls, value: float | str) -> float | str:
        if isinstance(value, float | int) and value <= 0:
            raise ValueError('a budget is more than 0 USD, or "none"')
        return value

    @field_validator("stop_after")
    @classmethod
    def _with_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("write a time with its zone, such as 2026-12-01T00:00:00Z")
        return value


class LimitsTable(_Table):
    """What must not be exceeded, beside the subscription's own quota."""

    vms: int = Field(DEFAULT_VMS, ge=1, le=10_000)
    vcpus: dict[str, int] = Field(default_factory=dict)


class PatienceTable(_Table):
    """What of the controller's patience differs between a cloud of minutes and one whose clock is fast."""

    tick_seconds: float = Field(default=Patience().tick, ge=1, le=60)
    idle_grace_seconds: float = Field(default=Patience().idle_grace, ge=0, le=86_400)


class PoolTable(_Table):
    """Machines that are alike."""

    name: str = Field(pattern=f"^{NAME_PATTERN}$")
    region: str = Field(pattern=r"^[a-z0-9]{3,40}$")
    size: str
    image: str = Field(min_length=1)
    subnet: str = Field(pattern=rf"^{RESOURCE_ID}$")
    slots: int = Field(1, ge=1, le=64)
    min: int = Field(0, ge=0)
    max: int = Field(ge=1, le=1000)
    priority: Priority = Priority.SPOT
    disk_gb: int = Field(64, ge=30, le=4095)
    tiles_per_slot_hour: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _possible(self) -> PoolTable:
        try:
            vcpus_of(self.size)
        except BadInput as error:
            raise ValueError(str(error)) from error  # so that it is told with its line, beside the others
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        if self.priority is Priority.SPOT and (why := why_never_spot(self.size)):
            raise ValueError(f'size {self.size} cannot be had as spot: {why}; write priority = "regular"')
        return self


class AlertsTable(_Table):
    """Whom to tell."""

    webhook: str = Field("", pattern=r"^(https://\S+|http://(127\.0\.0\.1|localhost)\S*)?$")
    command: list[str] = Field(default_factory=list)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # the storage's tables are contract/fleet.py's

    kind: str = ""
    location: str = ""
    azure: AzureTable
    budget: BudgetTable
    limits: LimitsTable = Field(default_factory=lambda: LimitsTable(vms=DEFAULT_VMS))
    patience: PatienceTable = Field(default_factory=PatienceTable)
    pools: tuple[PoolTable, ...]
    alerts: AlertsTable = Field(default_factory=lambda: AlertsTable(webhook=""))


@dataclass(frozen=True, slots=True)
class FleetFile:
    """What an operator wrote, checked."""

    path: Path
    azure: AzureTable
    budget: BudgetTable
    pools: Mapping[str, PoolTable]
    """By name."""
    alerts: AlertsTable
    policy: Policy


def read_operator_file(path: Path, fleet: str) -> FleetFile:
    """The machines of the fleet in that file. BadInput lists every problem with its line."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_FILE_BYTES:
            raise BadInput(f"{path} is larger than {MAX_FILE_BYTES} bytes: it is no fleet file")
        text = data.decode()
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path} is not a readable fleet file: {error}") from error
    try:
        file = _File(**content)
    except ValidationError as error:
        lines = lines_of_keys(text)
        raise BadInput("\n".join(_problem(path, lines, entry) for entry in error.errors())) from error
    _check_names(path, file, lines_of_keys(text))
    pools = tuple(_pool(table) for table in file.pools)
    return FleetFile(
        path=path,
        azure=file.azure,
        budget=file.budget,
        pools={table.name: table for table in file.pools},
        alerts=file.alerts,
        policy=Policy(
            fleet=fleet,
            pools=pools,
            limits=Limits(
                vms=file.limits.vms,
                vcpus_by_region=file.limits.vcpus,
                usd=None if file.budget.usd == "none" else float(file.budget.usd),
                usd_per_day=file.budget.usd_per_day,
            ),
            patience=Patience(tick=file.patience.tick_seconds, idle_grace=file.patience.idle_grace_seconds),
            stop_after=file.budget.stop_after.astimezone(UTC).timestamp() if file.budget.stop_after else None,
            home=_home(file),
        ),
    )


def _home(file: _File) -> str:
    """The storage's region. A laptop's storage is in none: it stands beside the first pool."""
    return file.pools[0].region if file.kind == "laptop" else file.location.lower().replace(" ", "")


def _pool(table: PoolTable) -> Pool:
    return Pool(
        name=table.name,
        offer=Offer(table.region, table.size, table.priority),
        vcpus=vcpus_of(table.size),
        slots=table.slots,
        min_vms=table.min,
        max_vms=table.max,
        disk_gb=table.disk_gb,
        tiles_per_slot_hour=table.tiles_per_slot_hour,
    )


def _check_names(path: Path, file: _File, lines: Mapping[str, int]) -> None:
    if not file.pools:
        raise BadInput(f"{path} has no [[pools]]: say which machines it may have")
    names = [pool.name for pool in file.pools]
    twice = [number for number, name in enumerate(names) if name in names[:number]]
    if twice:
        raise BadInput(
            "\n".join(
                f"{path}, line {lines.get(f'pools.{number}', 0)}: a pool named {names[number]!r} is there already"
                for number in twice
            )
        )


def _problem(path: Path, lines: Mapping[str, int], entry: Any) -> str:
    where = ".".join(str(part) for part in entry["loc"])
    line = lines.get(where) or lines.get(where.rpartition(".")[0])
    message = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "missing":
        message = "it is missing"
    elif entry["type"] == "extra_forbidden":
        message = "it is unknown"
    place = f"{path}, line {line}" if line else str(path)
    return f"{place}: {where}: {message}"
