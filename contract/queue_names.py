"""The three queues of a fleet and what their names may be."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contract.errors import BadInput

FLEET_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){1,38}")


@dataclass(frozen=True, slots=True)
class QueueNames:
    """`<fleet>-tiles`, `<fleet>-urgent` (taken first) and `<fleet>-poison`."""

    tiles: str
    urgent: str
    poison: str


def queue_names(fleet: str) -> QueueNames:
    """The queues of a fleet; BadInput when Azure would refuse names made from that."""
    if not FLEET_PATTERN.fullmatch(fleet):
        raise BadInput(
            f"{fleet[:60]!r} cannot name a fleet: 2 to 40 lower-case letters, digits and single dashes, "
            "a letter or digit at both ends"
        )
    return QueueNames(f"{fleet}-tiles", f"{fleet}-urgent", f"{fleet}-poison")
