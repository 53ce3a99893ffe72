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

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from contract.errors import BadInput
from contract.fleet import OPERATORS_TABLES, read_tables
from contract.toml_lines import Lines, place_of
from fleetctl.cloud.sizes import vcpus_of
from fleetctl.controller.policy import Limits, Offer, Patience, Policy, Pool
from fleetctl.fleet_tables import (
    DEFAULT_VMS,
    AlertsTable,
    AzureTable,
    BudgetTable,
    LimitsTable,
    PatienceTable,
    PoolTable,
)


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

    @field_validator("pools", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise ValueError("say which machines it may have, each kind under a header [[pools]]")
        return value


@dataclass(frozen=True, slots=True)
class FleetFile:
    """What an operator wrote, checked."""

    path: Path
    azure: AzureTable
    budget: BudgetTable
    pools: Mapping[str, PoolTable]
    """By name, in the order of the file."""
    alerts: AlertsTable
    policy: Policy
    lines: Lines

    def place(self, key: str) -> str:
        """File and line of a key such as `pools.0.size`, for a person."""
        return place_of(self.path, self.lines, key)


def read_operator_file(path: Path, fleet: str) -> FleetFile:
    """The machines of the fleet in that file. BadInput lists every problem with its line."""
    content, lines = read_tables(path)
    problems = [
        f"{place_of(path, lines, key)}: a pool named {name!r} is there already"
        for key, name in _twice(content)
    ]
    try:
        file = _File(**content)
    except ValidationError as error:
        problems[:0] = [_problem(path, lines, entry) for entry in error.errors()]
    if problems:
        raise BadInput("\n".join(problems))
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
        lines=lines,
    )


def operators_problems(path: Path) -> list[str]:
    """What is wrong with money and machines in a file that is no fleet file otherwise, so that it is told at once."""
    try:
        content, _ = read_tables(path)
    except BadInput:  # told by who reads its addresses
        return []
    try:
        if OPERATORS_TABLES & set(content):
            read_operator_file(path, "")
    except BadInput as error:
        return str(error).splitlines()
    return []


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


def _twice(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys and names of pools that have the name of one before."""
    listed = content.get("pools")
    tables = listed if isinstance(listed, list) else []
    names = [table.get("name") if isinstance(table, dict) else None for table in tables]
    return [(f"pools.{n}", name) for n, name in enumerate(names) if name is not None and name in names[:n]]


def _problem(path: Path, lines: Lines, entry: Any) -> str:
    where = ".".join(str(part) for part in entry["loc"])
    message = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "missing":
        message = "it is missing"
    elif entry["type"] == "extra_forbidden":
        message = "it is unknown"
    return f"{place_of(path, lines, where)}: {where}: {message}"
