"""What a worker reports every few seconds and the controller reads: metadata of one small blob per worker.

Metadata, so that one paged listing reads all workers; age by the store's clock, so that no machine's own
clock can make it look dead or alive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from contract import artifact_names
from contract.blob_store import BlobInfo, BlobStore
from contract.errors import BadInput
from contract.json_text import parse_object, to_text

VERSION = 1
MAX_TEXT_CHARACTERS = 7600  # all metadata of a blob, names included, has 8 KiB
VALUE_CHARACTERS = 1900
MAX_REMARK_CHARACTERS = 300
MAX_TILES = 40
WORKER_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PIECE = re.compile(r"hb(\d)")


class WorkerState(StrEnum):
    """What a worker is up to."""

    WORKING = "working"
    IDLE = "idle"
    LEAVING = "leaving"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class HeldTile:
    """One tile that a worker holds."""

    dataset: str
    tile: str
    """Its name."""
    stage: str
    progress: float
    """Of the stage, 0..1."""
    since: str
    """When the stage began: UTC, ISO 8601."""
    job: str = ""
    """Who pays for it."""
    generation: int = 1
    is_solo: bool = False
    """A suspect, which nobody else may try meanwhile."""
    is_second: bool = False
    """A second attempt: another worker holds the tile's message."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One worker at one moment."""

    worker: str
    vm: str
    """Name of the machine; empty where there is none to name."""
    boot_id: str
    """Of the machine's current boot: another one means that it was restarted."""
    started: str
    """When this process began: UTC, ISO 8601."""
    state: WorkerState
    tiles: tuple[HeldTile, ...]
    """The first of those held; all of them unless they are very many."""
    held_count: int
    """How many tiles it holds, also those that are not listed."""
    cpu_percent: float
    """Of all cores of the machine."""
    memory_bytes: int
    """Resident, of the process."""
    gpu_percent: float | None
    """None where there is no GPU."""
    prefetched_bytes: int
    """Of the memory budget for prefetched tiles, in use."""
    reason: str = ""
    """Why it is leaving or unfit."""
    last_error: str = ""
    """The last line of trouble, for a person."""


@dataclass(frozen=True, slots=True)
class SeenHeartbeat:
    """A heartbeat, and how long ago the store received it."""

    heartbeat: Heartbeat
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """One look at all workers."""

    seen: tuple[SeenHeartbeat, ...]
    unreadable: Mapping[str, str]
    """Blob names of heartbeats that are none, with why: a worker of another version, perhaps."""


def write_heartbeat(store: BlobStore, heartbeat: Heartbeat) -> None:
    """Report; one request. The last report of a worker stands until the next one."""
    if not WORKER_PATTERN.fullmatch(heartbeat.worker):
        raise BadInput(
            f"{heartbeat.worker[:60]!r} cannot name a worker: up to 100 letters, digits, dots and dashes"
        )
    store.put(artifact_names.heartbeat(heartbeat.worker), b"", metadata=encode_heartbeat(heartbeat))


def read_heartbeats(store: BlobStore) -> Heartbeats:
    """All workers that ever reported and whose blob still exists."""
    seen: list[SeenHeartbeat] = []
    unreadable: dict[str, str] = {}
    infos = list(store.listing(artifact_names.HEARTBEATS_PREFIX, with_metadata=True))
    now = store.now()
    for info in infos:
        try:
            seen.append(_seen(info, now))
        except BadInput as error:
            unreadable[info.name] = str(error)
    return Heartbeats(tuple(seen), unreadable)


def encode_heartbeat(heartbeat: Heartbeat) -> dict[str, str]:
    """As metadata. What does not fit is cut: first long remarks, then tiles from the end."""
    fitting = replace(
        heartbeat,
        tiles=heartbeat.tiles[:MAX_TILES],
        reason=heartbeat.reason[:MAX_REMARK_CHARACTERS],
        last_error=heartbeat.last_error[:MAX_REMARK_CHARACTERS],
    )
    text = _text(fitting)
    while len(text) > MAX_TEXT_CHARACTERS and fitting.tiles:
        fitting = replace(fitting, tiles=fitting.tiles[:-1])
        text = _text(fitting)
    pieces = [text[start : start + VALUE_CHARACTERS] for start in range(0, len(text), VALUE_CHARACTERS)]
    return {f"hb{number}": piece for number, piece in enumerate(pieces)}


def decode_heartbeat(metadata: Mapping[str, str]) -> Heartbeat:
    """The heartbeat in a blob's metadata; BadInput when there is none."""
    pieces = sorted((name, value) for name, value in metadata.items() if _PIECE.fullmatch(name))
    record = parse_object("".join(value for _, value in pieces), "the heartbeat")
    if record.pop("v", None) != VERSION:
        raise BadInput(f"the heartbeat is not of version {VERSION}")
    try:
        record["state"] = WorkerState(record["state"])
        record["tiles"] = tuple(HeldTile(**tile) for tile in record["tiles"])
        heartbeat = Heartbeat(**record)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"the heartbeat lacks or misstates {str(error)[:120]}") from error
    _check_types(heartbeat)
    for tile in heartbeat.tiles:
        _check_types(tile)
    return heartbeat


def _seen(info: BlobInfo, now: datetime) -> SeenHeartbeat:
    heartbeat = decode_heartbeat(info.metadata)
    if artifact_names.heartbeat(heartbeat.worker) != info.name:
        raise BadInput(f"it says that it is the heartbeat of {heartbeat.worker[:60]!r}")
    # The store stamps whole seconds, so a fresh one may seem to come from the future.
    return SeenHeartbeat(heartbeat, max(0.0, (now - info.modified).total_seconds()))


def _text(heartbeat: Heartbeat) -> str:
    # Blanks occur only inside strings. Escaped, no piece can begin or end with one, which headers would drop.
    return to_text({"v": VERSION, **asdict(heartbeat)}).replace(" ", "\\u0020")


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "float | None": (int, float, type(None)),
}


def _check_types(value: Heartbeat | HeldTile) -> None:
    for field in fields(value):
        expected = _TYPES.get(str(field.type))
        held: Any = getattr(value, field.name)
        if expected is not None and (not isinstance(held, expected) or isinstance(held, bool)):
            raise BadInput(f"the heartbeat's {field.name} is {str(held)[:60]!r}")
