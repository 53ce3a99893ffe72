"""All drills, in the order in which they are played."""

from __future__ import annotations

from contract.errors import BadInput
from laptop_cloud.drills import evictions
from laptop_cloud.drills.play import Drill

DRILLS = (
    Drill("eviction-with-notice", evictions.eviction_with_notice),
    Drill("eviction-without-notice", evictions.eviction_without_notice),
    Drill("all-evicted", evictions.all_evicted),
)


def choose(names: list[str]) -> list[Drill]:
    """The drills of these names, or all for `all`; BadInput names those that there are."""
    known = {drill.name: drill for drill in DRILLS}
    if names == ["all"]:
        return list(DRILLS)
    if unknown := [name for name in names if name not in known]:
        raise BadInput(f"there is no drill {unknown[0][:60]!r}; there are: all, {', '.join(known)}")
    return [known[name] for name in names]
