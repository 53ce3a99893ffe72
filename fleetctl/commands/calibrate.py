"""`fleetctl calibrate`: measure what a tile takes on machines that nobody has tried. Words and exits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from contract.fleet import Fleet
from fleetctl import wiring
from fleetctl.cli_common import FleetName, Yes, confirm, errors, named_exits, say_target
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from contract.blob_store import BlobStore
    from contract.fleet_queues import FleetQueues
    from fleetctl.cloud.machines import NewVm
    from fleetctl.controller.policy import Offer
    from fleetctl.fleet_file import FleetFile
    from fleetctl.money.calibrate import Calibration, Outcome, Pair

KEEP_CUBES = "keep_cubes=1"
"""Days; the second time is made from what the first one kept."""


@named_exits()
def calibrate(
    tile: Annotated[str, typer.Argument(metavar="TILE", help="Its name, such as grid_-2.25_53.45.")],
    sizes: Annotated[str, typer.Option("--sizes", metavar="A,B", help="Of machines.")],
    regions: Annotated[str, typer.Option("--regions", metavar="X,Y", help="Of the cloud.")],
    most_usd: Annotated[
        float, typer.Option("--max-usd", metavar="USD", min=0.01, help="At most, removing included.")
    ],
    year: Annotated[str, typer.Option("--year", metavar="YEAR", help="As `producer enqueue` takes it.")] = "",
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME", help="One that can keep cubes.")
    ] = "tessera",
    parameters: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Of the recipe; weights, too.")
    ] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Seeded weights: they are as fast as real ones.")
    ] = False,
    yes: Yes = False,
    fleet: FleetName = None,
) -> None:
    """Measure a tile on one spot machine per size and region: once with its download, once from its cube.

    What comes out is kept for `fleetctl prices` and `estimate`. The machines are gone afterwards, also after
    Ctrl-C; those of a calibration that was killed are removed by the next one.

    Example: fleetctl calibrate grid_-2.25_53.45 --sizes Standard_D16s_v6 --regions eastus --max-usd 3 --untrained
    """
    from contract.tile_id import parse_tile
    from fleetctl.cloud.machines import Refused
    from fleetctl.money.calibrate import StillThere
    from fleetctl.money.gather import names_in, spot_offers

    parse_tile(tile)
    if math.isinf(most_usd):
        raise BadInput("--max-usd is an amount: a calibration without an end to its money is not begun")
    offers = spot_offers(names_in(regions), names_in(sizes))
    if not offers:
        raise BadInput("name at least one size and one region: --sizes A,B --regions X,Y")
    target = say_target(fleet)
    file = wiring.load_operator_file(fleet, target)
    pairs = _pairs(target, file, offers, most_usd)
    confirm(f"make {len(pairs)} spot machines for up to {most_usd:.2f} USD?", "nothing was made", yes=yes)
    words = [
        *("--recipe", recipe, "--set", KEEP_CUBES),
        *(["--year", year] if year else []),
        *(word for parameter in parameters or [] for word in ("--set", parameter)),
        *(["--untrained"] if untrained else []),
    ]
    calibration = _calibration(target, file, tile, words, most_usd)
    try:
        calibration.remove_leftovers()
        outcomes = calibration.run(pairs)
    except (Refused, StillThere) as error:
        raise BadInput(str(error)) from error
    _keep(wiring.connect(target, wiring.load_settings()).store, tile, outcomes)
    if any(outcome.measured is None for outcome in outcomes):
        raise typer.Exit(ExitCode.INCOMPLETE)


def _pairs(target: Fleet, file: FleetFile, offers: Sequence[Offer], most_usd: float) -> list[Pair]:
    """With their prices. BadInput where a subnet or a price is missing, or the money is not enough for one."""
    from fleetctl.money.calibrate import REMOVE_SECONDS, SECONDS_PER_HOUR, Pair

    prices = wiring.price_book(wiring.load_settings(), file).look_up(offers)
    with_subnet = {pool.region for pool in file.pools.values()}
    problems = [f"nobody knows the price of {offer}" for offer in offers if offer not in prices]
    problems += [
        f"{file.path} has no pool, and so no subnet, in {region}"
        for region in sorted({offer.region for offer in offers} - with_subnet)
    ]
    least = min((price.value for price in prices.values()), default=0.0) * REMOVE_SECONDS / SECONDS_PER_HOUR
    if not problems and least >= most_usd:
        problems.append(f"--max-usd {most_usd:g} is less than removing one machine takes: {least:.2f} USD")
    if problems:
        raise BadInput("; ".join(problems))
    name = f"{target.name}-cal"
    return [Pair(name, number, offer, prices[offer].value) for number, offer in enumerate(offers, 1)]


def _calibration(
    target: Fleet, file: FleetFile, tile: str, words: Sequence[str], most_usd: float
) -> Calibration:
    from fleetctl.money.calibrate import Calibration
    from fleetctl.money.trial_jobs import TrialJobs

    def connect(fleet: Fleet) -> tuple[BlobStore, FleetQueues]:
        settings = wiring.load_settings()
        wiring.ensure_storage(fleet, settings)
        storage = wiring.connect(fleet, settings)
        return storage.store, storage.queues

    return Calibration(
        machines=wiring.connect_machines(replace(target, name=f"{target.name}-cal"), file),
        trials=TrialJobs(target, tile, words, connect),
        new_vm=_new_vm(target, file),
        most_usd=most_usd,
        clock=time.time,
        wait=time.sleep,
        tell=lambda line: errors.print(line, markup=False),
        look_seconds=file.policy.patience.tick,
    )


def _new_vm(target: Fleet, file: FleetFile) -> Callable[[Pair], NewVm]:
    """Image and subnet as the fleet's own pools have them in that region."""
    from fleetctl.cloud.machines import NewVm
    from fleetctl.cloud.user_data import worker_user_data
    from fleetctl.money.trial_jobs import pair_fleet

    by_region: Mapping[str, str] = {pool.region: name for name, pool in reversed(list(file.pools.items()))}

    def new_vm(pair: Pair) -> NewVm:
        like = file.pools[by_region[pair.offer.region]]
        return NewVm(
            name=pair.vm,
            offer=pair.offer,
            image=like.image,
            subnet=like.subnet,
            identity=file.azure.identity,
            user_data=worker_user_data(pair_fleet(target, pair), size=pair.offer.size, slots=1),
            disk_gb=like.disk_gb,
            ssh_public_key=file.azure.ssh_public_key,
        )

    return new_vm


def _keep(store: BlobStore, tile: str, outcomes: Sequence[Outcome]) -> None:
    from fleetctl.money.calibrations import keep_calibration, made_of

    now = datetime.now(UTC).isoformat(timespec="seconds")
    for outcome in outcomes:
        offer = outcome.pair.offer
        if outcome.measured is None:
            errors.print(f"{offer}: nothing measured, {outcome.reason}", style="red", markup=False)
            continue
        kept = made_of(outcome, tile, now)
        keep_calibration(store, kept)
        print(
            f"{offer}: boot {kept.boot_seconds:.0f} s, tile {kept.cube_seconds:.0f} s, download "
            f"{kept.download_seconds:.0f} s more, {kept.usd_per_tile:.4f} USD per tile"
        )
    print(f"spent about {sum(outcome.usd for outcome in outcomes):.2f} USD")
