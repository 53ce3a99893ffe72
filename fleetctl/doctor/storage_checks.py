"""Do queues and blobs answer us, is our clock theirs, and does anybody lead? Writes one small blob, and deletes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from contract.blob_store import BlobStore
from contract.fleet import Fleet
from contract.fleet_queues import FleetQueues
from contract.heartbeat import WorkerState, read_heartbeats
from contract.tile_queue import TileQueue
from fleetctl.campaign.worker_table import is_live
from fleetctl.doctor.findings import Check, Unwell
from fleetctl.launch.running import somebody_leads

TRIAL_BLOB = "control/doctor"
MOST_CLOCK_SECONDS = 60.0
"""Azure refuses signatures that are fifteen minutes off; times in records should not be off by one."""


def storage_checks(
    fleet: Fleet, store: BlobStore, queues: FleetQueues, clock: Callable[[], datetime]
) -> Iterator[Check]:
    """Each by itself."""
    for queue in (queues.tiles, queues.urgent, queues.poison):
        made = f"az storage queue create --name {queue.name} --auth-mode login --account-name ACCOUNT"
        yield Check(f"queue {queue.name}", partial(_depth, queue), "fleetctl up" if fleet.is_laptop else made)
    made = f"az storage container create --name {fleet.container} --auth-mode login --account-name ACCOUNT"
    yield Check(f"container {fleet.container}", partial(_write, store), made)
    yield Check("clock", partial(_clock, store, clock), "timedatectl set-ntp true")
    yield Check("controller", partial(_controller, store))


def _depth(queue: TileQueue) -> str:
    return f"about {queue.depth()} messages"


def _write(store: BlobStore) -> str:
    store.put(TRIAL_BLOB, b"may we write here?")
    store.delete(TRIAL_BLOB)
    return "can be written"


def _clock(store: BlobStore, clock: Callable[[], datetime]) -> str:
    off = (clock() - store.now()).total_seconds()
    if abs(off) > MOST_CLOCK_SECONDS:
        raise Unwell(f"this machine's clock is {off:+.0f} s off the storage's", "timedatectl set-ntp true")
    return f"within {max(1.0, abs(off)):.0f} s of the storage's"


def _controller(store: BlobStore) -> str:
    if leader := somebody_leads(store):
        return f"{leader} leads"
    seen = filter(is_live, read_heartbeats(store).seen)
    live = sum(one.heartbeat.state is not WorkerState.LEAVING for one in seen)
    if live:
        raise Unwell(f"{live} workers work, and no controller restarts or ends them", "fleetctl watch")
    return "none leads, and none is needed: no worker is alive"
