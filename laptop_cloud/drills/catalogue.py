"""All drills, in the order in which they are played."""

from __future__ import annotations

from contract.errors import BadInput
from laptop_cloud.drills import (
    bad_tiles,
    controllers,
    deaths,
    evictions,
    results,
    source_outage,
    storage_days,
    unfit,
    virtual_fleet,
)
from laptop_cloud.drills.play import Drill

DRILLS = (
    Drill("eviction-with-notice", evictions.eviction_with_notice),
    Drill("eviction-without-notice", evictions.eviction_without_notice),
    Drill("all-evicted", evictions.all_evicted),
    Drill("kill-at-every-write", deaths.kill_at_every_write),
    Drill("two-workers-one-tile", deaths.two_workers_one_tile),
    Drill("lease-pause", deaths.lease_pause),
    Drill("checkpoint-resume", deaths.checkpoint_resume),
    Drill("bad-gpu", unfit.bad_gpu),
    Drill("full-disk", unfit.full_disk),
    Drill("clock-jump", unfit.clock_jump),
    Drill("harms-workers", unfit.harms_workers),
    Drill("storage-503", storage_days.storage_503),
    Drill("storage-slow", storage_days.storage_slow),
    Drill("storage-cuts", storage_days.storage_cuts),
    Drill("storage-restart", storage_days.storage_restart),
    Drill("killer-tile", bad_tiles.killer_tile),
    Drill("hostile-messages", bad_tiles.hostile_messages),
    Drill("corrupt-artifacts", results.corrupt_artifacts),
    Drill("slow-holder", results.slow_holder),
    Drill("cancelled-job", results.cancelled_job),
    Drill("fleet-refused", controllers.fleet_refused),
    Drill("source-outage", source_outage.source_outage),
    Drill("unfit-stays-unfit", controllers.unfit_stays_unfit),
    Drill("controller-killed", controllers.controller_killed),
    Drill("controller-gone", controllers.controller_gone),
    Drill("virtual-fleet", virtual_fleet.virtual_fleet),
)


def choose(names: list[str]) -> list[Drill]:
    """The drills of these names, or all for `all`; BadInput names those that there are."""
    known = {drill.name: drill for drill in DRILLS}
    if names == ["all"]:
        return list(DRILLS)
    if unknown := [name for name in names if name not in known]:
        raise BadInput(f"there is no drill {unknown[0][:60]!r}; there are: all, {', '.join(known)}")
    return [known[name] for name in names]
