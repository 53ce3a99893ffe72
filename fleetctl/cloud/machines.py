"""The promises of a cloud's machines that the controller relies on. `azure.py` keeps them by Resource Manager.

No call waits for what it starts: the next listing shows what came of it. No call retries or sleeps: the
controller has its own clock for each machine and each offer. `Refused` says in which way the cloud said no.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from contract.errors import TilefleetError
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import Quota, VmSeen


class Refusal(StrEnum):
    """What a no means, by status and code together (facts: one code serves quota and throttling)."""

    NO_CAPACITY = "no capacity"
    """Of this size in this region, now."""
    QUOTA = "quota"
    THROTTLED = "throttled"
    """By the interface, not the hardware: `retry_after_seconds` says for how long."""
    CONFLICT = "conflict"
    """Another operation on this machine is under way: the next tick looks again."""
    GONE = "gone"
    """There is no such machine: deleted is what was wanted, or it is created anew."""
    NOT_ALLOWED = "not allowed"
    """A role is missing or a credential has expired: `text` names the call and the role."""
    MISTAKE = "mistake"
    """The request itself is wrong: a size without spot, an image that is not there. A person must act."""
    TROUBLE = "trouble"
    """5xx, no answer, a broken connection: nobody knows, look again."""


class Refused(TilefleetError):
    """The cloud said no, or nothing."""

    def __init__(
        self,
        kind: Refusal,
        code: str,
        text: str,
        *,
        retry_after_seconds: float | None = None,
        mend: str = "",
    ) -> None:
        """`mend`: what to type so that it is allowed, where somebody knows."""
        super().__init__(f"{kind.value} ({code}): {text}" if code else f"{kind.value}: {text}")
        self.kind = kind
        self.code = code
        self.text = text
        self.retry_after_seconds = retry_after_seconds
        self.mend = mend


@dataclass(frozen=True, slots=True)
class NewVm:
    """Everything that a machine is created from."""

    name: str
    offer: Offer
    image: str
    """Resource id of an image, or publisher:offer:sku:version."""
    subnet: str
    """Resource id."""
    identity: str
    """Resource id of the user-assigned identity; empty: none."""
    user_data: str
    """Cloud-init text, without secrets."""
    disk_gb: int
    ssh_public_key: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RateLeft:
    """What the last answers said is left of the interface's allowance."""

    writes: int | None = None


class Machines(Protocol):
    """The machines of one fleet in one subscription."""

    def list_states(self) -> Iterator[VmSeen]:
        """Every machine of the fleet with its power state, by one paged listing. Refused when any page fails:
        half a listing must not look like a small fleet."""
        ...

    def create(self, vm: NewVm) -> None:
        """Ask for a machine of that name. One that is there already stays as it is."""
        ...

    def start(self, name: str) -> None:
        """Ask a deallocated or stopped one to start."""
        ...

    def deallocate(self, name: str) -> None:
        """Let its hardware go; disk and quota stay."""
        ...

    def delete(self, name: str) -> None:
        """With its disk and interface. One that is gone is deleted."""
        ...

    def delete_resource(self, resource_id: str) -> None:
        """A leaked disk, interface or address."""
        ...

    def leaks(self) -> Iterator[str]:
        """Resource ids with the fleet's tag that no machine uses."""
        ...

    def quota(self, region: str, priority: Priority) -> Quota:
        """VCPUs of that kind in a region."""
        ...

    def simulate_eviction(self, name: str) -> None:
        """For drills on real machines."""
        ...

    @property
    def rate_left(self) -> RateLeft: ...
