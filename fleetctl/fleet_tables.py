"""The tables of a fleet file that only fleetctl reads: what each may say. `fleet_file.py` puts them together."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, field_validator, model_validator

from contract.errors import BadInput
from fleetctl.cloud.sizes import vcpus_of, why_never_spot
from fleetctl.controller.policy import Patience, Priority

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

    usd: float | Literal["none"]
    usd_per_day: float | None = Field(None, gt=0, allow_inf_nan=False)
    stop_after: datetime | None = None

    @field_validator("usd", mode="before")
    @classmethod
    def _amount_or_none(cls, value: Any) -> Any:
        is_amount = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_amount and value != "none":
            raise ValueError('write a finite number of USD, or "none"')
        return value

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
    vcpus: dict[str, NonNegativeInt] = Field(default_factory=dict)


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
