"""What innocent tiles are charged with: looked at in every message that a worker receives."""

from __future__ import annotations

from contract.outcomes import Cause
from contract.tile_message import TileMessage
from laptop_cloud.virtual.scenario import Nature
from laptop_cloud.virtual.world import Broken, World

DESERVED = {
    Nature.BAD: Cause.TILE,
    Nature.KILLER: Cause.SILENT_DEATH,
    Nature.HARMFUL: Cause.WORKER,
}
"""Why tiles of these natures end as poison; all others are innocent."""


def note_charges(world: World, message: TileMessage) -> None:
    """Count what an innocent tile is charged with; against the law where an eviction is all that befell it."""
    if world.nature(message.tile) in DESERVED:
        return
    charged = [cause for cause in (Cause.TILE, Cause.SILENT_DEATH) if message.tries.get(cause)]
    for cause in charged:
        world.happened[f"delivery of an innocent tile charged with {cause}"] += 1
        if cause is Cause.TILE or not may_fall_silent(world):
            found = f"charged with {message.tries[cause]} of {cause}"
            world.broken.append(Broken("innocent tiles are not charged", found, message.tile.name))


def may_fall_silent(world: World) -> bool:
    """Whether an attempt may end, as far as others can tell, in a silence that no eviction explains: its own
    worker's, or that of a worker which a tile beside it killed."""
    return world.scenario.has_unexplained_silence or Nature.KILLER in world.natures.values()
