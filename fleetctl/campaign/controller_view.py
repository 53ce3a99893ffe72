"""What the controller's record says to who asks for the fleet's status: machines by intent, money so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from contract.blob_store import BlobStore
from contract.errors import BadInput
from fleetctl import phrases
from fleetctl.controller.memory_store import MemoryStore


@dataclass(frozen=True, slots=True)
class ControllerView:
    """What the last controller meant and counted, as it wrote it down."""

    machines: Mapping[str, int]
    """By intent: run, drain, rehost, quarantine, ..."""
    spent_usd: float
    traffic_usd: float
    """Of it, for bytes that left their machine's region."""
    stopped_for: str
    """Why the whole fleet drains; empty while it works."""
    is_outage: bool

    @property
    def line(self) -> str:
        """For a person."""
        meant = ", ".join(f"{count} {intent}" for intent, count in sorted(self.machines.items())) or "none"
        parts = [f"machines: {meant}", phrases.spent(self.spent_usd, self.traffic_usd)]
        if self.is_outage:
            parts.append("the imagery's source fails, intake is paused")
        if self.stopped_for:
            parts.append(f"stopped: {self.stopped_for}")
        return "; ".join(parts)


def look_at_controller(store: BlobStore) -> ControllerView | None:
    """None where no controller ever ran, or its record is of another version."""
    try:
        memory = MemoryStore(store).load()
    except BadInput:
        return None
    if not memory.vms and not memory.spend.counted_until:
        return None
    return ControllerView(
        machines=dict(Counter(machine.intent.value for machine in memory.vms.values())),
        spent_usd=memory.spend.paid,
        traffic_usd=sum(memory.spend.traffic_by_job.values()),
        stopped_for=memory.stopped_for,
        is_outage=memory.outage_since is not None,
    )
