"""What can be wrong with a tile that was asked for: the words of `fleetctl verify`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contract.tile_id import TileId


class FaultKind(StrEnum):
    """What is wrong, found from listings (above) or by reading bytes (below)."""

    MISSING = "missing"
    WRONG_LENGTH = "wrong length"
    WRONG_MD5 = "wrong MD5"
    LEFT_OVER = "left over"
    """There, and not named by the commit that counts."""
    NOT_PUBLISHED = "not published"
    """Committed, but its artifacts are not all under the dataset's names."""
    UNREADABLE_COMMIT = "unreadable commit"

    WRONG_BYTES = "wrong bytes"
    WRONG_SHAPE = "wrong shape"
    ALL_ZERO = "all zero"
    BAD_SCALES = "bad scales"


MENDED_BY_ITSELF = frozenset({FaultKind.NOT_PUBLISHED, FaultKind.LEFT_OVER})
"""Every other fault needs the tile to be done again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one tile."""

    kind: FaultKind
    artifact: str
    """Below the dataset's root; empty where the tile as a whole is meant."""
    detail: str
    """What was found and what was expected."""


@dataclass(frozen=True, slots=True)
class TileFinding:
    """One tile that was looked at closely."""

    tile: TileId
    generation: int
    """The one whose artifacts are the tile's result; 0: none counts."""
    faults: tuple[Fault, ...]
    is_revoked: bool = False
    """A newer generation is asked for, and not committed yet."""

    @property
    def is_committed(self) -> bool:
        return self.generation > 0

    @property
    def is_corrupt(self) -> bool:
        """Its result is damaged in a way that only doing it again mends."""
        return self.is_committed and any(fault.kind not in MENDED_BY_ITSELF for fault in self.faults)
