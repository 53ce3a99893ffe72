"""How the asked tiles stand, counted: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from contract.job import JobState
from contract.job_store import asked_tiles
from fleetctl.audit.beside import Beside
from fleetctl.audit.faults import FaultKind
from fleetctl.audit.tile_table import Seen, TileTable


class Standing(StrEnum):
    """What an asked tile waits for, or came to. Each has exactly one."""

    COMMITTED = "committed"
    POISON = "poison"
    """Given up, with an entry that says why."""
    CANCELLED = "cancelled"
    ASKED_AGAIN = "asked again"
    """Its result was revoked; the next generation is not committed yet."""
    QUEUED = "queued"
    """Its message was put, and it is not committed yet."""
    AWAITS_APPROVAL = "awaits approval"
    """The rest of a canary."""
    NOT_SENT = "not sent"
    """Its producer has not come so far."""


EXPLAINED = (Standing.POISON, Standing.CANCELLED)


@dataclass(frozen=True, slots=True)
class Sent:
    """How far a job's messages were put, and what may become of them."""

    cursor: int
    """Every tile before this index of the asked list was put, or was done when its turn came."""
    canary_count: int
    state: JobState


@dataclass(frozen=True, slots=True)
class Verdict:
    """asked = committed + wrong + the standings."""

    job: str
    dataset: str
    asked: int
    committed: int
    """Published, with every artifact as its commit says."""
    wrong: int
    """Committed, and not so."""
    standings: Mapping[Standing, int]
    """Of the tiles that are not committed."""
    faults: Mapping[FaultKind, int]
    blobs: int
    """Listed under the dataset's root."""
    unmarked: int
    """Artifacts that do not say whose they are; a commit that names one is checked by its record."""
    beside: Beside

    @property
    def explained(self) -> int:
        return sum(self.standings[standing] for standing in EXPLAINED)

    @property
    def left(self) -> int:
        """Neither committed nor explained."""
        return self.asked - self.committed - self.wrong - self.explained

    @property
    def is_complete(self) -> bool:
        """Every asked tile is committed and whole, or explained; nothing is there that should not be."""
        return self.committed + self.explained == self.asked and not self.faults


def standing_of(seen: Seen, position: int, sent: Sent) -> Standing:
    """How the tile at an index of the asked list stands."""
    if Seen.COMMITTED in seen:
        return Standing.COMMITTED
    if sent.state is JobState.CANCELLED:
        return Standing.CANCELLED
    if Seen.POISONED in seen:
        return Standing.POISON
    return Standing.ASKED_AGAIN if Seen.REVOKED in seen else _way_to_a_worker(position, sent)


def count_standings(table: TileTable, asked: bytes, sent: Sent) -> dict[Standing, int]:
    """Of all tiles of the asked list."""
    counts = dict.fromkeys(Standing, 0)
    for position, tile in enumerate(asked_tiles(asked)):
        place = table.place(tile)
        seen = Seen(table.seen[place]) if place is not None else Seen(0)
        counts[standing_of(seen, position, sent)] += 1
    return counts


def _way_to_a_worker(position: int, sent: Sent) -> Standing:
    if position < sent.cursor:
        return Standing.QUEUED
    if sent.state is JobState.CANARY and position >= sent.canary_count:
        return Standing.AWAITS_APPROVAL
    return Standing.NOT_SENT
