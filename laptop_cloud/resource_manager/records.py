"""What the cloud knows: machines, their disks and interfaces, and operations under way. Written to disk as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SUCCEEDED, FAILED, CREATING, UPDATING, DELETING = "Succeeded", "Failed", "Creating", "Updating", "Deleting"
"""Of provisioning."""


class PowerState(StrEnum):
    """What follows `PowerState/` in an instance view."""

    NONE = ""
    """Not known yet, or no more: the view has no such status."""
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"


WITH_HARDWARE = frozenset({PowerState.STARTING, PowerState.RUNNING, PowerState.STOPPING, PowerState.STOPPED})
"""Paid for."""


class Kind(StrEnum):
    """What stands behind a machine."""

    REAL = "real"
    """Processes of this laptop."""
    HOLLOW = "hollow"
    """A state and a heartbeat."""


@dataclass(slots=True)
class Machine:
    """One virtual machine."""

    name: str
    group: str
    location: str
    model: dict[str, Any]
    """`properties` as they were sent, without what is never given back."""
    tags: dict[str, str]
    vm_id: str
    created: float
    """Cloud seconds, as all times here."""
    kind: Kind = Kind.HOLLOW
    user_data: str = ""
    """For its first boot, base64; a hollow one never reads it."""
    power: PowerState = PowerState.NONE
    provisioning: str = CREATING
    failure_code: str = ""
    failure_text: str = ""
    since: float = 0.0
    """When its provisioning state last changed."""
    metered_until: float = 0.0
    """Up to when the two meters below have counted."""
    billed_seconds: float = 0.0
    """With its hardware."""
    disk_seconds: float = 0.0
    """With its disk: since it was ordered."""
    switches: int = 0
    """How often it got or lost its hardware."""

    @property
    def is_billed(self) -> bool:
        return self.power in WITH_HARDWARE

    @property
    def size(self) -> str:
        return str(self.model["hardwareProfile"]["vmSize"])

    @property
    def is_spot(self) -> bool:
        return bool(self.model.get("priority", "Regular") != "Regular")  # Low is its older name

    @property
    def is_deleted_when_evicted(self) -> bool:
        return bool(self.model.get("evictionPolicy") == "Delete")


@dataclass(slots=True)
class Attached:
    """A disk or an interface: made with a machine, and perhaps left behind."""

    name: str
    type: str
    """Such as Microsoft.Compute/disks."""
    group: str
    location: str
    tags: dict[str, str]
    machine: str
    """Empty: nobody uses it."""
    goes_with_machine: bool
    """Its deleteOption."""
    gigabytes: int = 0


class Status(StrEnum):
    """Of an operation."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(slots=True)
class Operation:
    """Something that was accepted and takes its time."""

    id: str
    machine: str
    """Its name."""
    location: str
    verb: str
    began: float
    ended: float | None = None
    status: Status = Status.IN_PROGRESS
    failure_code: str = ""
    failure_text: str = ""


@dataclass(slots=True)
class Metered:
    """What machines of one offer used, in cloud seconds."""

    location: str
    size: str
    is_spot: bool
    billed_seconds: float = 0.0
    """With their hardware."""
    disk_seconds: float = 0.0
    switches: int = 0


@dataclass(slots=True)
class World:
    """Everything that survives a restart of the cloud."""

    now: float = 0.0
    machines: dict[str, Machine] = field(default_factory=dict)
    """By lower-case name, as all here."""
    attached: dict[str, Attached] = field(default_factory=dict)
    """By `type/name`."""
    operations: dict[str, Operation] = field(default_factory=dict)
    others_vcpus: dict[str, int] = field(default_factory=dict)
    """Spot vCPUs that somebody else uses, by region."""
    gone: list[Metered] = field(default_factory=list)
    """What machines that were deleted had used; one row for all of the same offer."""
    edits: int = 0
    """How often anything changed, so that what did not change is not saved again."""
