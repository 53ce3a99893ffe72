"""The last that one machine's workers said: heartbeats, and the newest lines of the ledger, theirs and about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from contract import artifact_names
from contract.blob_store import BlobInfo, BlobStore
from contract.errors import BadInput
from contract.heartbeat import SeenHeartbeat, read_heartbeats
from contract.ledger import whole_events
from contract.ledger_events import FLEET_DECISION, Event
from fleetctl.campaign.worker_table import tiles_words
from fleetctl.safe_text import safe_text

TAIL_BYTES = 256 * 1024
"""Of each ledger blob: some thousand lines."""
CONTROLLER = "controller-"
MOST_STREAMS = 8
"""Of the newest ones of the machine, and as many of the controller's: older boots are history."""
_HEAD = frozenset({"id", "time", "name", "worker", "vm"})


@dataclass(frozen=True, slots=True)
class MachineLog:
    """What there is of one machine."""

    vm: str
    workers: tuple[SeenHeartbeat, ...]
    events: tuple[Event, ...]
    """In the order of their time."""


def read_machine_log(store: BlobStore, vm: str, count: int) -> MachineLog:
    """The newest `count` lines. BadInput when nobody ever heard of that machine."""
    workers = tuple(seen for seen in read_heartbeats(store).seen if seen.heartbeat.vm == vm)
    names = {seen.heartbeat.worker for seen in workers}
    events = sorted(_events(store, vm, names), key=lambda event: event["time"])
    if not workers and not events:
        raise BadInput(
            f"nothing was ever heard of a machine {vm!r}: `fleetctl status` and `plan` show their names"
        )
    return MachineLog(vm, workers, tuple(events[-count:]))


def log_page(log: MachineLog) -> RenderableType:
    """For a person."""
    parts: list[RenderableType] = []
    for seen in sorted(log.workers, key=lambda seen: seen.age_seconds):
        heartbeat = seen.heartbeat
        parts.append(
            Text(
                f"{heartbeat.worker}: {heartbeat.state.value}, heard {seen.age_seconds:.0f} s ago, "
                f"{tiles_words(heartbeat)}"
            )
        )
        if heartbeat.last_error:
            parts.append(Text(f"  last trouble: {safe_text(heartbeat.last_error)}", style="red"))
    table = Table(box=None, pad_edge=False, show_header=False)
    for event in log.events:
        table.add_row(event["time"], event["name"], Text(safe_text(_facts(event), 300)))
    return Group(*parts, table)


def log_json(log: MachineLog) -> dict[str, Any]:
    """For programs."""
    return {
        "vm": log.vm,
        "workers": [{**asdict(seen.heartbeat), "age_seconds": seen.age_seconds} for seen in log.workers],
        "events": list(log.events),
    }


def _events(store: BlobStore, vm: str, workers: set[str]) -> Iterator[Event]:
    own = _newest(
        info
        for worker in sorted(workers)
        for info in store.listing(f"{artifact_names.LEDGER_PREFIX}{worker}-")
    )
    controllers = _newest(store.listing(f"{artifact_names.LEDGER_PREFIX}{CONTROLLER}"))
    for info in (*own, *controllers):
        start = max(0, info.length - TAIL_BYTES)
        data = store.read_from(info.name, start, max_bytes=TAIL_BYTES)
        lines = data.partition(b"\n")[2] if start else data  # the first line of a tail is half a line
        for event in whole_events(lines)[0]:
            if event.get("vm") == vm or (event["name"] == FLEET_DECISION and event.get("target") == vm):
                yield event


def _newest(infos: Iterator[BlobInfo]) -> list[BlobInfo]:
    return sorted(infos, key=lambda info: info.modified)[-MOST_STREAMS:]


def _facts(event: Event) -> str:
    return ", ".join(f"{key} {value}" for key, value in event.items() if key not in _HEAD)
