"""Finds everything that is known of some offers: the price list, the fleet's calibrations, its account, its quota."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from contract.blob_store import BlobStore
from contract.errors import BadInput
from fleetctl.cloud.sizes import vcpus_of, why_never_spot
from fleetctl.controller.memory import Spend
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.policy import Offer, Priority, Route
from fleetctl.controller.snapshot import Quota
from fleetctl.money.calibrations import read_calibrations
from fleetctl.money.first_figures import first_figures
from fleetctl.money.knowledge import Knowledge
from fleetctl.money.price_book import PriceBook

_REGION = re.compile(r"[a-z0-9]{3,40}")


def gather(
    regions: Sequence[str],
    sizes: Sequence[str],
    *,
    book: PriceBook,
    store: BlobStore | None,
    quotas: Mapping[str, Quota],
    home: str = "",
) -> tuple[list[Offer], Knowledge]:
    """The spot offers of those sizes (none: all that are known) in those regions, and what is known of them.

    `store`: the fleet's; None where no fleet is chosen. `home`: the storage's region, for the price of traffic to it;
    empty: nobody asks. BadInput for names that can be no region or size.
    """
    calibrations = read_calibrations(store) if store else {}
    known_sizes = list(dict.fromkeys([*first_figures().sizes, *(size for size, _ in calibrations)]))
    offers = spot_offers(regions, sizes or known_sizes)
    both = [Offer(o.region, o.size, priority) for o in offers for priority in Priority]
    knowledge = Knowledge(
        first=first_figures(),
        prices=book.look_up(both),
        traffic=book.look_up([Route(region, home) for region in regions if home and region != home]),
        calibrations=calibrations,
        quotas=quotas,
        spend=MemoryStore(store).load().spend if store else Spend(),
    )
    return offers, knowledge


def doubts(book: PriceBook, offers: Sequence[Offer], known: Knowledge) -> list[str]:
    """What a person should know of the prices: that the list was not asked, or that it has nothing of a region."""
    if book.trouble:
        return [f"{book.trouble}: kept and shipped prices stand in"]
    first = known.first
    listed = {o.region for o in offers if o in known.prices and known.prices[o] != first.usd_per_hour(o)}
    return [
        f"the price list has none of these machines in {region!r}: is the region's name right? Prices of "
        f"{first.region} stand in"
        for region in dict.fromkeys(offer.region for offer in offers)
        if region not in listed
    ]


def spot_offers(regions: Sequence[str], sizes: Sequence[str]) -> list[Offer]:
    """Each size in each region, once. All problems in one BadInput."""
    problems = [
        f"{region[:60]!r} is no region of the cloud: write it as westeurope"
        for region in regions
        if not _REGION.fullmatch(region)
    ]
    for size in sizes:
        try:
            vcpus_of(size)
        except BadInput as error:
            problems.append(str(error))
        if why := why_never_spot(size):
            problems.append(f"{size}: {why}")
    if problems:
        raise BadInput("; ".join(problems))
    return [
        Offer(region, size, Priority.SPOT)
        for region in dict.fromkeys(regions)
        for size in dict.fromkeys(sizes)
    ]


def names_in(text: str) -> list[str]:
    """What was typed between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]
