"""The three ways of keeping a fleet, side by side: as a table, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from fleetctl.simulation.run import STALE_SECONDS, OnTick, Run, run_controlled, run_swept
from fleetctl.simulation.world import HOME, REGIONS, TILE_BYTES, World

SWEEP_SECONDS = (120.0, 1800.0)
"""What operators did: a loop of two minutes, and one of half an hour."""


def compare(world: World, tiles: int, seed: int, *, most_hours: float, on_tick: OnTick) -> list[Run]:
    """Ours first. The same world and seed for all; chance then takes its own way in each."""
    ours = run_controlled(world, tiles, seed, most_hours=most_hours, on_tick=on_tick)
    swept = (
        run_swept(world, tiles, seed, every_seconds=every, most_hours=most_hours) for every in SWEEP_SECONDS
    )
    return [ours, *swept]


def table_of(runs: Sequence[Run]) -> Table:
    """One row per way."""
    table = Table(title=f"{runs[0].tiles:,} tiles, simulated", title_justify="left")
    table.add_column("kept by")
    for name in ("hours", "USD", "USD per tile", "work lost", "evictions", "starts", "refused", "tiles done"):
        table.add_column(name, justify="right")
    for run in runs:
        meter = run.meter
        table.add_row(
            run.name,
            f"{run.hours:,.1f}",
            f"{meter.usd:,.2f}",
            f"{run.usd_per_tile:.4f}",
            f"{run.lost_share:.2%}",
            f"{meter.evictions:,}",
            f"{meter.starts:,}",
            f"{meter.refused:,}",
            f"{meter.done:,}" if run.is_complete else f"{meter.done:,} (cut off)",
        )
    return table


def assumptions(world: World) -> list[str]:
    """What the figures rest on, in sentences."""
    seconds, rates = world.seconds, [region.evictions_per_vm_hour for region in world.regions]
    prices = [region.usd_per_hour for region in world.regions]
    measured = (
        f"measured: {seconds.download:.0f} s of download, {seconds.infer:.0f} s of inference and "
        f"{seconds.upload:.0f} s of upload per tile on a whole A10; {min(rates):g} to {max(rates):g} evictions "
        f"per machine and hour in {len(REGIONS)} regions"
    )
    assumed = (
        f"assumed: {min(prices):.2f} to {max(prices):.2f} USD per hour; half of the evictions come "
        f"{world.squeezes.share_of_machines:.0%} of a region at once, with no room there for about "
        f"{world.squeezes.median_seconds / 60:.0f} minutes; {seconds.start + seconds.boot:.0f} s from a start to "
        f"the first tile; a quota of {world.quota_vcpus} vCPUs per region; {TILE_BYTES / 1e6:.0f} MB of results per "
        f"tile, sent to {HOME}"
    )
    simulated = (
        f"a tick of the simulated controller is {world.tick_seconds:.0f} s; operators' sweepers returned a silent "
        f"worker's tiles after {STALE_SECONDS / 60:.0f} minutes"
    )
    return [measured, assumed, simulated]


def as_json(world: World, seed: int, runs: Sequence[Run]) -> dict[str, Any]:
    """Everything that the table shows, and our controller's own account."""
    return {
        "tiles": runs[0].tiles,
        "vms": world.vms,
        "seed": seed,
        "assumptions": assumptions(world),
        "runs": [_run_as_json(run) for run in runs],
    }


def _run_as_json(run: Run) -> dict[str, Any]:
    meter = run.meter
    record = {
        "kept_by": run.name,
        "is_complete": run.is_complete,
        "hours": round(run.hours, 3),
        "usd": round(meter.usd, 2),
        "usd_per_tile": round(run.usd_per_tile, 5),
        "lost_share": round(run.lost_share, 6),
        "billed_hours": round(meter.billed_hours, 2),
        "tiles_done": meter.done,
        "evictions": meter.evictions,
        "starts": meter.starts,
        "refused": meter.refused,
    }
    if run.spend is not None:
        record["own_account"] = {
            "usd": round(run.spend.paid, 2),
            "by_kind": {kind: round(usd, 2) for kind, usd in run.spend.by_kind.items()},
        }
    return record
