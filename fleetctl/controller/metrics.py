"""What a tick saw and did as Prometheus metrics. Names say their units; a part that was not seen keeps its last
value, and `tilefleet_seen` says which parts were."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from contract.heartbeat import WorkerState
from fleetctl.controller.snapshot import BILLED, Power, Snapshot
from fleetctl.controller.tick import Ticked

TICK_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
HOUR_SECONDS = 3600.0


class FleetMetrics:
    """Listens to ticks; `registry` has what they came to."""

    def __init__(
        self,
        fleet: str,
        *,
        tiles_done: Callable[[float, float], int],
        stage_seconds: Callable[[], Mapping[str, float]],
        alerts_open: Callable[[], int],
    ) -> None:
        """`tiles_done`: within so many seconds before a moment; `stage_seconds`: medians by stage."""
        self.registry = registry = CollectorRegistry()
        self._tiles_done = tiles_done
        self._stage_seconds = stage_seconds
        self._alerts_open = alerts_open

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"tilefleet_{name}", text, labels, registry=registry)

        self._info = gauge("controller_leading", "1 while this process leads the fleet.", "fleet")
        self._info.labels(fleet).set(0)
        self._fleet = fleet
        self._machines = gauge("machines", "Machines by pool and power state.", "pool", "power")
        self._workers = gauge("workers", "Workers with a heartbeat, by state.", "state")
        self._held = gauge("tiles_held", "Tiles in the hands of workers.")
        self._queued = gauge("messages", "Messages in a queue, invisible ones included.", "queue")
        self._delayed = gauge("tiles_delayed", "Tiles that wait for their time.")
        self._tiles = gauge("job_tiles", "Tiles of a job that is not over.", "job", "standing")
        self._rate = gauge("tiles_done_last_hour", "Tiles committed within the last hour.")
        self._stages = gauge(
            "stage_median_seconds", "Median seconds of a stage over the newest tiles.", "stage"
        )
        self._source = gauge("attempts_failed_at_source_ratio", "Of the attempts of the last minutes.")
        self._usd = gauge("spend_usd", "Paid so far, by what for.", "kind")
        self._job_usd = gauge("job_spend_usd", "Charged to a job so far.", "job")
        self._usd_per_hour = gauge("usd_per_hour", "What all machines that are billed cost now, where known.")
        self._seen = gauge("seen", "1 for a part of the fleet that the last tick saw.", "part")
        self._alerts = gauge("alerts_open", "Alerts that were told and not resolved.")
        self._last = gauge("last_tick_timestamp_seconds", "When the last tick saw the fleet, epoch seconds.")
        self._seconds = Histogram(
            "tilefleet_tick_seconds", "Wall seconds of a tick.", buckets=TICK_SECONDS, registry=registry
        )
        self._actions = Counter("tilefleet_actions", "Calls made.", ["verb"], registry=registry)
        self._refusals = Counter(
            "tilefleet_refusals", "Calls that were refused.", ["verb", "kind"], registry=registry
        )
        self._failed = Counter("tilefleet_failed_ticks", "Ticks that saw nothing.", registry=registry)

    def on_tick(self, ticked: Ticked) -> None:
        seen = ticked.seen
        self._info.labels(self._fleet).set(1)
        self._seconds.observe(ticked.seconds)
        self._last.set(seen.now)
        for action in ticked.tried:
            self._actions.labels(action.verb.value).inc()
        for action, why in ticked.refused:
            self._refusals.labels(action.verb.value, why.partition(":")[0].partition(" (")[0]).inc()
        self._note_parts(seen)
        self._note_machines(seen)
        self._note_work(seen)
        for kind, usd in ticked.memory.spend.by_kind.items():
            self._usd.labels(kind).set(usd)
        _refill(self._job_usd, (((job,), usd) for job, usd in ticked.memory.spend.by_job.items()))
        self._alerts.set(self._alerts_open())

    def on_failed_tick(self, reason: str) -> None:  # noqa: ARG002 - a count needs no reason
        self._failed.inc()

    def _note_parts(self, seen: Snapshot) -> None:
        parts = {"machines": seen.vms, "workers": seen.workers, "queues": seen.queues, "jobs": seen.jobs}
        for part, found in parts.items():
            self._seen.labels(part).set(found is not None)

    def _note_machines(self, seen: Snapshot) -> None:
        if seen.vms is None:
            return
        counts = Count((vm.pool, vm.power.value) for vm in seen.vms.values())
        pools = {vm.pool for vm in seen.vms.values()}
        every = {(pool, power.value): 0 for pool in pools for power in Power}
        _refill(self._machines, (every | counts).items())
        billed = (vm.offer for vm in seen.vms.values() if vm.power in BILLED)
        self._usd_per_hour.set(sum(seen.usd_per_hour.get(offer, 0.0) for offer in billed))

    def _note_work(self, seen: Snapshot) -> None:
        if seen.workers is not None:
            states = Count(worker.state for worker in seen.workers)
            _refill(self._workers, (((state.value,), states[state]) for state in WorkerState))
            self._held.set(sum(worker.held for worker in seen.workers))
        if seen.queues is not None:
            for queue in ("tiles", "urgent", "poison"):
                self._queued.labels(queue).set(getattr(seen.queues, queue))
            self._delayed.set(seen.queues.delayed)
        if seen.jobs is not None:
            standings = ("asked", "committed", "explained")
            _refill(
                self._tiles,
                (((job.id, standing), getattr(job, standing)) for job in seen.jobs for standing in standings),
            )
        self._rate.set(self._tiles_done(seen.now, HOUR_SECONDS))
        _refill(self._stages, (((stage,), took) for stage, took in self._stage_seconds().items()))
        attempts = seen.attempts
        self._source.set(attempts.failed_at_source / attempts.ended if attempts.ended else 0.0)


def _refill(gauge: Gauge, values: Iterable[tuple[tuple[str, ...], float]]) -> None:
    """What is no longer there is no longer shown."""
    gauge.clear()
    for labels, value in values:
        gauge.labels(*labels).set(value)
