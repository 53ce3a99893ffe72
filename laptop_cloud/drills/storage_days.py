"""Drills in which the storage has a bad day."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from contract.outcomes import Cause
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.evictions import seconds_to_free
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.laws import Expected
from laptop_cloud.drills.play import Scene, finish
from laptop_cloud.drills.stage import LIMIT_SECONDS, Asked, Stage
from laptop_cloud.machines.vm import LaptopVm
from laptop_cloud.storage_faults import Fate, StorageFaults

LATENCY_MS = 500.0
NOTICE_SECONDS = 10.0
FREE_LIMIT_SECONDS = 10.0
"""5 on a machine that has nothing else to do."""
UNSURE = frozenset({Cause.SILENT_DEATH})
"""An answer lost to a tile's mark loses its receipt: it comes back, charged with a death that was none (0011)."""


def storage_503(scene: Scene) -> Cost:
    """The storage refuses one request in eight, with 503 or 500. Workers ask again, and lose nothing."""
    with scene.fleet(2) as stage:
        asked = stage.ask(12)
        stage.relay.misbehave(StorageFaults(busy_percent=8, timed_out_percent=4.5, seed=scene.seed))
        return _finish_with_trouble(stage, asked)


def storage_cuts(scene: Scene) -> Cost:
    """One connection in ten is cut, half of them after the request was carried out. Nothing is done twice for that."""
    with scene.fleet(2) as stage:
        asked = stage.ask(12)
        stage.relay.misbehave(StorageFaults(cut_before_percent=5, cut_after_percent=5, seed=scene.seed))
        return _finish_with_trouble(stage, asked)


def storage_slow(scene: Scene) -> Cost:
    """Every answer takes half a second, and a machine is evicted meanwhile. Its leases are free in time even so."""
    with scene.fleet(2) as stage:
        asked = stage.ask(12, infer_seconds=1.5)
        stage.relay.misbehave(StorageFaults(latency_ms=LATENCY_MS))
        vm = stage.victim(asked, holding=2)
        stage.note_harm(asked, vm)
        told_at = datetime.now(UTC)
        stage.running.room.evict(vm.name, NOTICE_SECONDS).join(LIMIT_SECONDS)
        stage.relay.behave()
        return finish(stage, asked, figures=lambda: _freed(stage, vm, told_at))


def _freed(stage: Stage, vm: LaptopVm, told_at: datetime) -> str:
    seconds = seconds_to_free(stage, vm, told_at)
    if seconds > FREE_LIMIT_SECONDS:
        raise DrillFailed("leases are free soon after a notice", f"after {seconds:.1f} s")
    return f"leases free {seconds:.1f} s after the notice"


def storage_restart(scene: Scene) -> Cost:
    """The storage is stopped in the middle of the work and comes back with all that it had acknowledged. Workers wait
    for it with their results in hand."""
    with scene.fleet_with_own_storage(2) as (stage, emulator):
        asked = stage.ask(12, infer_seconds=0.6)
        stage.await_commits(asked, scene.chance.randint(1, 5))
        stage.victim(asked)
        emulator.restart()
        return finish(stage, asked, Expected(may_be_charged=UNSURE))


def _finish_with_trouble(stage: Stage, asked: Asked) -> Cost:
    return finish(stage, asked, Expected(may_be_charged=UNSURE), figures=lambda: _troubled(stage))


def _troubled(stage: Stage) -> str:
    fates = Counter[str]()
    for counts in stage.relay.counts().values():
        fates.update(counts)
    del fates[Fate.PASSED]
    return f"{fates.total()} requests troubled"
