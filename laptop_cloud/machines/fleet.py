"""A fleet of one's own for a drill or a test: VMs over a storage that others use too, and a relay before it.

Every fleet has its own name, queues and container, so that one Azurite serves many, one after another or side
by side. Leases are short, heartbeats are quick.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from contract.environment import PREFIX
from contract.fleet import FLEET_VARIABLE, LAPTOP_VARIABLE, RUNNING_FILE, Fleet, running_toml
from laptop_cloud import relay_control
from laptop_cloud.azurite import Endpoints
from laptop_cloud.cloud import ensure_storage
from laptop_cloud.machines import room
from laptop_cloud.machines.room import MachineRoom, RoomPlan
from laptop_cloud.machines.vm import VmSpec
from laptop_cloud.relay_control import RelayControl

QUICK = {
    "TILEFLEET_CONSUMER_LEASE_SECONDS": "6",
    "TILEFLEET_CONSUMER_IDLE_POLL_SECONDS": "0.5",
    "TILEFLEET_CONSUMER_HEARTBEAT_SECONDS": "0.5",
    "TILEFLEET_CONSUMER_LEDGER_SECONDS": "0.5",
}
NO_IMAGERY = "http://127.0.0.1:9"
"""Refused at once, never asked elsewhere."""
DISK_BYTES = 1536 * 1024**2
"""Some more than a worker wants to see free before it starts."""
LEAVE_LIMIT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class LaptopFleet:
    """One that runs."""

    folder: Path
    fleet: Fleet
    """As programs see it: through the relay, when there is one."""
    direct: Fleet
    """The same past the relay, for whoever checks."""
    environ: Mapping[str, str]
    """For programs that shall talk to it."""
    room: MachineRoom
    relay: RelayControl | None

    @property
    def logs(self) -> Path:
        return self.folder / "logs"


@dataclass(frozen=True, slots=True)
class Template:
    """What every VM of the fleet is."""

    slots: int = 1
    environ: Mapping[str, str] = field(default_factory=dict)
    """Over QUICK."""
    has_gpu: bool = False
    restart_seconds: float | None = None
    arguments: tuple[str, ...] = ()
    """After `consumer run --slots N`."""

    def spec(self, name: str) -> VmSpec:
        """One of them."""
        return VmSpec(
            name,
            slots=self.slots,
            arguments=self.arguments,
            environ={**QUICK, **self.environ},
            has_gpu=self.has_gpu,
            restart_seconds=self.restart_seconds,
        )


@contextlib.contextmanager
def fleet(
    storage: Endpoints,
    folder: Path,
    count: int,
    *,
    template: Template | None = None,
    relay: bool = True,
    plan: RoomPlan | None = None,
    stac_url: str = NO_IMAGERY,
) -> Iterator[LaptopFleet]:
    """`count` started VMs, vm-1 and so on, and all that they need; everything is ended on the way out.

    `storage` runs already and goes on. `folder` takes logs, disks, and the file by which programs that get
    `environ` find the fleet.
    """
    template = template or Template()
    name = f"f{uuid.uuid4().hex[:10]}"
    with contextlib.ExitStack() as stack:
        relayed = stack.enter_context(_relay(storage, folder / "logs")) if relay else None
        direct = Fleet(name, "laptop", "here", storage.queue_url, storage.blob_url, name, stac_url)
        ensure_storage(direct)
        seen = direct
        if relayed is not None:
            seen = replace(direct, queue_url=relayed.endpoints.queue_url, blob_url=relayed.endpoints.blob_url)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUNNING_FILE).write_text(running_toml(seen, os.getpid()))
        environ = _environ(folder)
        machines = stack.enter_context(
            room.running(
                folder / "vms",
                folder / "logs",
                environ,
                [template.spec(f"vm-{number}") for number in range(1, count + 1)],
                plan=plan or RoomPlan(disk_bytes=DISK_BYTES),
                leave_limit_seconds=LEAVE_LIMIT_SECONDS,
            )
        )
        yield LaptopFleet(folder, seen, direct, environ, machines, relayed)


def _relay(storage: Endpoints, logs: Path) -> contextlib.AbstractContextManager[RelayControl]:
    return relay_control.running(storage, logs / "relay.log")


def _environ(folder: Path) -> dict[str, str]:
    """Ours without anything that would lead elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, LAPTOP_VARIABLE: str(folder), FLEET_VARIABLE: "laptop"}
