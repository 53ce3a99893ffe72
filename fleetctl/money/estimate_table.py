"""An estimate on the screen and as JSON: the answer first, then where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleetctl.controller.policy import Route
from fleetctl.money.estimate import LIKELY, SEED, SURE, Answer, Change
from fleetctl.money.figures import Figure
from fleetctl.money.forecast import DRAWS, World
from fleetctl.money.knowledge import Knowledge
from fleetctl.phrases import duration

HOUR = 3600.0


def estimate_screen(best: Answer, change: Change | None, known: Knowledge, world: World) -> RenderableType:
    """Answer, fleet, dollars by part, what would help, assumptions."""
    return Group(
        Text(headline(best), style="bold"),
        Text(f"fleet: {_fleet_words(best)}"),
        _parts_table(best),
        Text(_kept(best)),
        Text(_change_words(best, change)),
        _assumptions_table(best, known, world),
        Text(f"p{LIKELY}, p{SURE}: of {DRAWS} draws, seed {SEED}", style="dim"),
    )


def estimate_json(best: Answer, change: Change | None, known: Knowledge, world: World) -> dict[str, Any]:
    """The same for programs."""
    return {
        **_answer_json(best),
        "parts_usd": {
            name: {f"p{p}": float(np.percentile(usd, p)) for p in (LIKELY, SURE)}
            for name, usd in best.forecast.parts.items()
        },
        "storage_usd_per_month": best.forecast.storage_usd_per_month,
        "handover_usd": best.forecast.handover_usd,
        "cheapest_change": {"change": change.words, **_answer_json(change.answer)} if change else None,
        "assumptions": {name: figure.as_json() for name, figure in assumptions(best, known, world)},
        "seed": SEED,
    }


def headline(best: Answer) -> str:
    """`tight: 4,028 tiles in 21 h (p50) to 25 h (p90), for 170 to 229 USD`."""
    low, high = (duration(best.hours(p) * HOUR) for p in (LIKELY, SURE))
    asked = []
    if best.wish.hours is not None:
        asked.append(f"{duration(best.wish.hours * HOUR)} of time")
    if best.wish.usd is not None:
        asked.append(f"{best.wish.usd:,.2f} USD")
    wish = f"; asked were {' and '.join(asked)}" if asked else "; neither date nor budget was asked"
    return (
        f"{best.verdict.value}: {best.wish.tiles:,} tiles in {low} (p{LIKELY}) to {high} (p{SURE}), "
        f"for {best.usd(LIKELY):,.2f} to {best.usd(SURE):,.2f} USD{wish}"
    )


def assumptions(best: Answer, known: Knowledge, world: World) -> Iterator[tuple[str, Figure]]:
    """Every figure that went in, by its name; those of an offer for each pool."""
    for pool in best.pools:
        seconds, price = known.tile_seconds(pool.offer), known.prices.get(pool.offer)
        if seconds is None or price is None:
            continue
        yield f"seconds per tile, {pool.offer}", seconds
        yield f"USD per hour, {pool.offer}", price
        yield f"evictions per VM hour, {pool.offer}", known.evictions_per_vm_hour(pool.offer)
        yield f"boot seconds, {pool.offer}", known.boot_seconds(pool.offer)
        yield f"spot vCPUs, {pool.offer.region}", known.spot_vcpus(pool.offer.region)
        if pool.offer.region != best.home:
            route = Route(pool.offer.region, best.home)
            yield f"USD per GB, {route}", known.usd_per_gb(route)
    for field in fields(world):
        yield field.name.replace("_", " "), getattr(world, field.name)


def _answer_json(made: Answer) -> dict[str, Any]:
    return {
        "verdict": made.verdict.value,
        "tiles": made.wish.tiles,
        "asked_hours": made.wish.hours,
        "asked_usd": made.wish.usd,
        "fleet": [
            {"region": pool.offer.region, "size": pool.offer.size, "vms": pool.vms} for pool in made.pools
        ],
        "hours": {f"p{p}": made.hours(p) for p in (LIKELY, SURE)},
        "usd": {f"p{p}": made.usd(p) for p in (LIKELY, SURE)},
    }


def _fleet_words(made: Answer) -> str:
    return ", ".join(f"{pool.vms} x {pool.offer.size} in {pool.offer.region}" for pool in made.pools)


def _parts_table(best: Answer) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("USD", f"p{LIKELY}", f"p{SURE}"):
        table.add_column(heading, justify="left" if heading == "USD" else "right")
    for name, usd in best.forecast.parts.items():
        table.add_row(name, *(f"{np.percentile(usd, p):,.2f}" for p in (LIKELY, SURE)))
    table.add_row("in all", *(f"{best.usd(p):,.2f}" for p in (LIKELY, SURE)), style="bold")
    return table


def _kept(best: Answer) -> str:
    return (
        f"beside it: {best.forecast.storage_usd_per_month:,.2f} USD per month for storing the results, "
        f"{best.forecast.handover_usd:,.2f} USD once for traffic if they are handed over to the internet"
    )


def _change_words(best: Answer, change: Change | None) -> str:
    if change is None:
        return (
            "" if best.verdict.value == "yes" else "no change of money, time, size or regions makes it a yes"
        )
    made = change.answer
    then = f"p{SURE}: {made.usd(SURE):,.2f} USD, {duration(made.hours(SURE) * HOUR)}"
    return f"cheapest change that makes it a yes: {change.words} ({then})"


def _assumptions_table(best: Answer, known: Knowledge, world: World) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("figure", "value", "basis", "source"):
        table.add_column(heading, justify="right" if heading == "value" else "left", overflow="fold")
    for name, figure in assumptions(best, known, world):
        table.add_row(name, f"{figure.value:,.4g}", figure.basis.value, figure.source)
    return table
