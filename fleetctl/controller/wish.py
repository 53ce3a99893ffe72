"""What a person may want of a machine, as a tick sees it; `wishes.py` keeps them in the storage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Wish(StrEnum):
    """What may be wanted."""

    DRAIN = "drain"
    """Finish what it holds; then delete it."""
    STOP = "stop"
    """Finish what it holds; then deallocate it, and keep it so."""
    START = "start"
    """Let it work, whatever we thought of it."""
    DOWN = "down"
    """Of the whole fleet: drain and delete every machine, and make none until it is lifted."""
    UP = "up"
    """Of the whole fleet: somebody mended what stood in the way of starts, so they are tried again at once."""


@dataclass(frozen=True, slots=True)
class WishSeen:
    """One that is not taken up yet."""

    blob: str
    """What it is forgotten by."""
    vm: str
    wish: Wish
    reason: str
    asked: float
    """Epoch seconds, by the store's clock."""
