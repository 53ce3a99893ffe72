"""`fleetctl prices` and `budget`: what machines cost, and what a job may cost. Words and exits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from fleetctl import wiring
from fleetctl.cli_common import (
    AsJson,
    FleetName,
    JobName,
    connect,
    errors,
    named_exits,
    output,
    say_target,
)
from fleetctl.money.compare import Order

if TYPE_CHECKING:
    from contract.blob_store import BlobStore
    from fleetctl.money.price_book import PriceBook

CloudRegions = Annotated[
    list[str], typer.Argument(metavar="REGION...", help="Regions of the cloud, such as westeurope.")
]
Sizes = Annotated[
    str, typer.Option("--sizes", metavar="A,B", help="Of machines; default: all that something is known of.")
]


@named_exits()
def prices(
    regions: CloudRegions,
    by: Annotated[Order, typer.Option("--by", help="What comes first.")] = Order.COST,
    sizes: Sizes = "",
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Compare machines: dollars per tile, tiles per hour, and what the quota allows; measured or assumed.

    With a fleet chosen its calibrations, evictions and quota count; without one the price list and the shipped
    figures.

    Example: fleetctl prices eastus westeurope --by finish
    """
    from fleetctl.money.compare import compare, unknown_offers
    from fleetctl.money.gather import doubts, gather, names_in
    from fleetctl.money.price_table import price_json, price_table

    store, book = _if_chosen(fleet)
    offers, known = gather(
        regions,
        names_in(sizes),
        book=book,
        store=store,
        quotas=wiring.spot_quotas(fleet, regions),
    )
    for doubt in doubts(book, offers, known):
        errors.print(f"fleetctl: {doubt}", markup=False)
    rows = compare(offers, known, by)
    missing = unknown_offers(offers, rows)
    if as_json:
        print(json.dumps(price_json(rows, missing, by), indent=2))
    else:
        output().print(price_table(rows, missing))


@named_exits()
def budget(
    job: JobName,
    usd: Annotated[
        str | None, typer.Option("--set", metavar="USD", help="An amount, or `none`: only the fleet's holds.")
    ] = None,
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Show what a job may cost, did cost and will cost; or change what it may cost, from the next tick on.

    A job that was paused for money goes on by itself once its budget allows it.

    Example: fleetctl budget uk-2024-1f2e3d4c --set 250
    """
    from contract.budget import parse_usd, write_budget
    from fleetctl.campaign.job_list import choose_job
    from fleetctl.money.budget_table import budget_json, budget_table, budget_words, look_at_budget

    amount = None if usd is None else parse_usd(usd)
    store = connect(fleet).store
    chosen = choose_job(store, job)
    if usd is not None:
        errors.print(f"{chosen.id}: {budget_words(write_budget(store, chosen.id, amount))}", markup=False)
    account = look_at_budget(store, chosen)
    if as_json:
        print(json.dumps(budget_json(account), indent=2))
    else:
        output().print(budget_table(account))


def _if_chosen(fleet: str | None) -> tuple[BlobStore | None, PriceBook]:
    """Storage and prices of a fleet if one is chosen or runs here; a comparison needs none."""
    settings = wiring.load_settings()
    if fleet is None and not wiring.is_fleet_chosen():
        errors.print("target: no fleet; the price list and the shipped figures", markup=False)
        return None, wiring.price_book(settings)
    target = say_target(fleet)
    try:
        file = wiring.load_operator_file(fleet, target)
    except BadInput:
        file = None  # it has no machines of its own: then Azure's list counts
    return wiring.connect(target, settings).store, wiring.price_book(settings, file)
