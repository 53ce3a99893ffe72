"""The controller's wish that workers take no more tiles for now: a source fails for everybody, most would be lost.

Some machines are named as probes: their workers go on, one tile at a time, so that somebody notices when it is
over. The wish is said again every few minutes; nobody obeys an old one, because its controller may be gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.artifact_names import INTAKE_PAUSE
from contract.blob_store import BlobStore
from contract.errors import BadInput, NotFound
from contract.json_text import parse_object, to_bytes

VERSION = 1
SAY_AGAIN_SECONDS = 300.0
HOLDS_SECONDS = 900.0
"""After the controller last said it, by the store's clock."""


@dataclass(frozen=True, slots=True)
class IntakePause:
    """Why nobody but the probes takes tiles."""

    reason: str
    probes: frozenset[str] = frozenset()
    """Names of machines."""


def pause_intake(store: BlobStore, pause: IntakePause) -> None:
    """Say it, again or for the first time; the newest one counts."""
    record = {"v": VERSION, "reason": pause.reason[:300], "probes": sorted(pause.probes)}
    store.put(INTAKE_PAUSE, to_bytes(record))


def resume_intake(store: BlobStore) -> None:
    """Let everybody take tiles again. A second call does nothing."""
    store.delete(INTAKE_PAUSE)


def read_intake_pause(store: BlobStore) -> IntakePause | None:
    """The pause that stands; None when there is none, its controller is silent, or it cannot be read: tiles that
    are taken for nothing return, tiles that nobody takes never end."""
    try:
        blob = store.read(INTAKE_PAUSE)
    except NotFound:
        return None
    if (store.now() - blob.info.modified).total_seconds() > HOLDS_SECONDS:
        return None
    try:
        record = parse_object(blob.data, "the intake's pause")
    except BadInput:
        return None
    probes = record.get("probes")
    if record.get("v") != VERSION or not isinstance(probes, list):
        return None
    return IntakePause(str(record.get("reason", "")), frozenset(map(str, probes)))
