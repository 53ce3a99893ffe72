"""The end of a fleet: its machines go one after the other, and what stays is said with its price."""

from __future__ import annotations

from rich.console import Console

from contract.blob_store import BlobStore
from contract.errors import BadInput, StorageError
from contract.fleet import Fleet
from fleetctl import phrases
from fleetctl.cloud.machines import Refused
from fleetctl.controller.assemble import World
from fleetctl.exit_codes import ExitCode
from fleetctl.launch.running import somebody_leads, tick_until_empty, wait_until_empty
from fleetctl.progress_bars import count_progress, listing_progress

USD_PER_GB_MONTH = 0.0196
"""Locally redundant hot blob storage, West Europe, from Azure's public list in 2026; for a rough figure."""
MOST_BLOBS = 200_000
"""Listing more takes minutes; the figure then says `more than`."""


def keep_going_down(world: World, machines: int, console: Console) -> None:
    """Until no machine is left: as the controller where nobody leads. BadInput when it could not be seen through."""
    with count_progress(console, "machines going", machines) as on_done:

        def on_left(left: int) -> None:
            on_done(max(0, machines - left))

        try:
            if somebody_leads(world.store):
                wait_until_empty(world.machines, on_left)
            elif (code := tick_until_empty(world, on_left)) is not ExitCode.DONE:
                raise BadInput(
                    f"another controller took over (status {code}): it goes on letting machines go"
                )
        except Refused as error:
            raise BadInput(f"{error}; the fleet stays down, type `fleetctl down` again") from error


def remaining_words(store: BlobStore, fleet: Fleet, console: Console) -> str:
    """What stays when all machines are gone, and what it costs."""
    try:
        count, length, is_all = _measure(store, console)
    except StorageError as error:
        return (
            f"the storage of {fleet.name} stays, and its price; how much is in it could not be read: {error}"
        )
    usd = length / 1e9 * USD_PER_GB_MONTH
    more = "" if is_all else "more than "
    return (
        f"what stays: the container {fleet.container} with {more}{count:,} blobs, {more}{phrases.size(length)}, "
        f"about {more}{usd:.2f} USD a month, and three queues, which cost nothing while nobody asks them; "
        "networks, identities and images are as they were"
    )


def _measure(store: BlobStore, console: Console) -> tuple[int, int, bool]:
    """Blobs, bytes, and whether these are all."""
    count = length = 0
    with listing_progress(console, "measuring what stays") as on_blobs:
        for info in store.listing(""):
            count, length = count + 1, length + info.length
            if count % 5000 == 0:
                on_blobs(count, 0)
            if count >= MOST_BLOBS:
                return count, length, False
    return count, length, True
