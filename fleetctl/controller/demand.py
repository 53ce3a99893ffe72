"""How much is there to do. Pure arithmetic over one snapshot."""

from __future__ import annotations

from fleetctl.controller.snapshot import Power, Snapshot


def held_tiles(seen: Snapshot, live_seconds: float) -> int:
    """In live workers' hands. What a machine held that has no hardware any more is nobody's, however fresh its last
    word is: else the last tiles of a fleet that was evicted without notice would wait for minutes."""
    gone = {name for name, vm in (seen.vms or {}).items() if vm.power is Power.DEALLOCATED}
    return sum(
        worker.held
        for worker in seen.workers or ()
        if worker.age_seconds <= live_seconds and worker.vm not in gone
    )


def waiting_tiles(seen: Snapshot, live_seconds: float) -> int:
    """That somebody could take now: the queue's own count includes the invisible ones."""
    if seen.queues is None:
        return 0
    depth = seen.queues.tiles + seen.queues.urgent
    return max(0, depth - held_tiles(seen, live_seconds) - seen.queues.delayed)
