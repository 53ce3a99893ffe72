"""How a drill ends when it does not end well."""

from __future__ import annotations

from contract.errors import TilefleetError


class DrillFailed(TilefleetError):
    """A law was broken: what was found, and in which tile, when it shows in one."""

    def __init__(self, law: str, found: str, tile: str = "") -> None:
        super().__init__(f"{law}: {found}" + (f" ({tile})" if tile else ""))
        self.law = law
        self.found = found
        self.tile = tile
        self.history = ""
        """What storage and ledger tell of the tile, as `fleetctl explain` shows it."""


class CannotPlay(TilefleetError):
    """This machine lacks what the drill needs; the text says what."""


class Interrupted(TilefleetError):
    """The run is over, by Ctrl-C or SIGTERM."""
