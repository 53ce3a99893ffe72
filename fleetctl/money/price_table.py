"""The comparison of machines as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleetctl.controller.policy import Offer
from fleetctl.money.compare import Order, Row
from fleetctl.money.figures import Basis, Figure
from fleetctl.phrases import NOTHING

HEADINGS = (
    "$/tile",
    "tiles/h per VM",
    "VMs in quota",
    "tiles/h in region",
    "$/h in region",
    "evictions/VM-h",
    "value ratio",
)
LEGEND = (
    "~ assumed, else measured; --json says where each figure comes from. $/tile is machine time alone. Value ratio: "
    "tiles per dollar against the same machine on demand, evictions counted."
)


def price_table(rows: Sequence[Row], missing: Sequence[Offer]) -> RenderableType:
    """One row per size and region; what could not be compared is told below."""
    table = Table(box=None, pad_edge=False)
    for heading in ("region", "size", "machine"):
        table.add_column(heading, no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.offer.region, row.offer.size, row.machine, *_cells(row))
    unknown = [Text(f"{offer}: nobody knows its price or speed; {_remedy(offer)}") for offer in missing]
    return Group(table, Text(LEGEND, style="dim"), *unknown)


def price_json(rows: Sequence[Row], missing: Sequence[Offer], order: Order) -> dict[str, Any]:
    """The same for programs; every figure with its basis and source."""
    return {
        "by": order.value,
        "rows": [row.as_json() for row in rows],
        "unknown": [{"region": offer.region, "size": offer.size} for offer in missing],
    }


def _cells(row: Row) -> list[str]:
    return [
        _cell(row.usd_per_tile, ".4f"),
        _cell(row.tiles_per_hour, ".1f"),
        _cell(row.vms, ",.0f"),
        _cell(row.tiles_per_hour_region, ",.0f"),
        _cell(row.usd_per_hour_region, ",.2f"),
        _cell(row.evictions_per_vm_hour, ".3f"),
        _cell(row.value_ratio, ".1f") if row.value_ratio else NOTHING,
    ]


def _cell(figure: Figure, form: str) -> str:
    return ("" if figure.basis is Basis.MEASURED else "~") + format(figure.value, form)


def _remedy(offer: Offer) -> str:
    return f"`fleetctl calibrate TILE --sizes {offer.size} --regions {offer.region} --max-usd 3` finds out"
