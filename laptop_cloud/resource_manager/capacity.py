"""Where there is no room at present, and how the cloud says so: at once, or after it has accepted the order."""

from __future__ import annotations

from dataclasses import dataclass

from contract.errors import BadInput


@dataclass(frozen=True, slots=True)
class Shortage:
    """Machines of one size in one region that nobody gets."""

    region: str
    """Empty: in all regions."""
    size: str
    """Empty: of all sizes."""
    until: float
    """Cloud seconds."""
    is_told_later: bool = False
    """The order is accepted and its operation fails."""
    is_regular_short: bool = False
    """Machines at the full price are short, too."""

    @property
    def code(self) -> str:
        """What Azure calls it at that moment of an order."""
        return "AllocationFailed" if self.is_told_later else "SkuNotAvailable"

    def concerns(self, region: str, size: str, *, is_spot: bool, now: float) -> bool:
        return (
            now < self.until
            and self.region in ("", region)
            and self.size in ("", size)
            and (is_spot or self.is_regular_short)
        )


class Capacity:
    """All shortages."""

    def __init__(self) -> None:
        self._shortages: list[Shortage] = []

    def refuse(self, shortage: Shortage, now: float) -> None:
        """From now on; one for the same region and size replaces the earlier one."""
        if shortage.until <= now:
            raise BadInput("a shortage lasts some time: say for how many seconds")
        self._shortages = [
            known
            for known in self._shortages
            if now < known.until and (known.region, known.size) != (shortage.region, shortage.size)
        ]
        self._shortages.append(shortage)

    def restore(self) -> None:
        """There is room everywhere."""
        self._shortages = []

    def shortage(self, region: str, size: str, *, is_spot: bool, now: float) -> Shortage | None:
        """What stands against such a machine; None when there is room."""
        return next((s for s in self._shortages if s.concerns(region, size, is_spot=is_spot, now=now)), None)
