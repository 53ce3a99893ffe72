"""`fleetctl estimate`: will a region be done by then, for that much? Words and exits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from contract.fleet import Fleet
from fleetctl import wiring
from fleetctl.cli_common import AsJson, FleetName, errors, named_exits, output, say_target
from fleetctl.money.first_figures import first_figures

if TYPE_CHECKING:
    from fleetctl.fleet_file import FleetFile
    from fleetctl.money.canary import Canary
    from fleetctl.money.estimate import Answer, Choices
    from fleetctl.money.knowledge import Knowledge

MORE_REGIONS = ("eastus", "westeurope", "uksouth", "swedencentral", "eastus2", "westus3", "northeurope")
"""Large ones, tried in this order where more quota is needed."""


@named_exits()
def estimate(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="REGION...", help="As `producer tiles` takes them.")
    ] = None,
    year: Annotated[str, typer.Option("--year", metavar="YEAR", help="2024, or 2017-2025.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="DATE", help="Done at its end, UTC: 2026-12-31.")] = "",
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="USD", help="At most; or `none`: no limit.")
    ] = None,
    regions: Annotated[
        str, typer.Option("--regions", metavar="X,Y", help="Of the cloud; default: the fleet's, or eastus.")
    ] = "",
    sizes: Annotated[
        str, typer.Option("--sizes", metavar="A,B", help="Of machines; default: all known ones.")
    ] = "",
    job: Annotated[
        str, typer.Option("--job", metavar="JOB", help="What is left of it, as fast as its tiles so far.")
    ] = "",
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE.toml", help="The fleet file that meets it.")
    ] = None,
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Say whether a region can be done by a date and for a budget, and what it costs: yes, no or tight.

    Yes: in nine of ten draws. Tight: in half of them. Each figure that went in is shown with its source. Where
    the answer is not yes, the cheapest change that makes it so.

    Example: fleetctl estimate UK --year 2024 --by 2026-12-31 --budget 250 --write fleets/uk.toml
    """
    from fleetctl.money.estimate import Wish, answer, cheapest_change
    from fleetctl.money.estimate_table import estimate_json, estimate_screen
    from fleetctl.money.forecast import World

    usd = _check(places, job, budget, write)
    target, file = _fleet_if_chosen(fleet)
    hours, canary = _hours_until(by), _canary(target, job)
    tiles = canary.tiles_left if canary else _count_tiles(places or [], year, target)
    if tiles == 0:
        raise BadInput(f"of {job} nothing is left to do")
    known, choices = _gather(target, file, regions, sizes, fleet)
    world = World()
    if canary:
        size = _canary_size(canary, file, target, sizes)
        known = replace(known, job_seconds={size: canary.tile_seconds})
        choices = replace(choices, sizes=(size,))
        world = replace(world, tile_gb=canary.tile_gb)
    best = answer(Wish(tiles, hours, usd), choices, known, world)
    change = cheapest_change(best, choices, known, world)
    if as_json:
        print(json.dumps(estimate_json(best, change, known, world), indent=2))
    else:
        output().print(estimate_screen(best, change, known, world))
    if write:
        _write(write, change.answer if change else best, known, target, file)


def _check(places: list[str] | None, job: str, budget: str | None, write: Path | None) -> float | None:
    """The budget in USD; None: no limit."""
    from contract.budget import parse_usd

    if bool(places) == bool(job):
        raise BadInput(
            "name regions to estimate, or a job of which some tiles are done (--job JOB): one of both"
        )
    if write and write.exists():
        raise BadInput(f"{write} is there already: write to another file, or delete it first")
    return None if budget is None else parse_usd(budget)


def _fleet_if_chosen(fleet: str | None) -> tuple[Fleet | None, FleetFile | None]:
    if fleet is None and not wiring.is_fleet_chosen():
        errors.print("target: no fleet; the price list and the shipped figures", markup=False)
        return None, None
    target = say_target(fleet)
    try:
        return target, wiring.load_operator_file(fleet, target)
    except BadInput:
        return target, None  # it has no machines of its own: then the figures that are known anyhow count


def _hours_until(date: str) -> float | None:
    if not date:
        return None
    try:
        day = datetime.fromisoformat(date)
    except ValueError as error:
        raise BadInput(f"--by {date[:40]!r} is no date: write it as 2026-12-31") from error
    end = day.replace(hour=23, minute=59, second=59) if len(date) <= len("2026-12-31") else day
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    hours = (end - datetime.now(UTC)).total_seconds() / 3600
    if hours <= 0:
        raise BadInput(f"--by {date} is over already")
    return hours


def _canary(target: Fleet | None, job: str) -> Canary | None:
    from fleetctl.campaign.job_list import choose_job
    from fleetctl.money.canary import read_canary

    if not job:
        return None
    if target is None:
        raise BadInput("--job needs the fleet that the job is of: name it with --fleet")
    settings = wiring.load_settings()
    store = wiring.connect(target, settings).store
    return read_canary(store, choose_job(store, job), settings.connections)


def _count_tiles(places: list[str], year: str, target: Fleet | None) -> int:
    from fleetctl.money.tile_count import count_tiles, count_years

    return count_tiles(places, target.boundaries_file if target else "") * count_years(year)


def _gather(
    target: Fleet | None, file: FleetFile | None, regions: str, sizes: str, fleet: str | None
) -> tuple[Knowledge, Choices]:
    from fleetctl.money.estimate import Choices
    from fleetctl.money.gather import doubts, gather, names_in

    own = [pool.region for pool in file.pools.values()] if file else []
    chosen = list(dict.fromkeys(names_in(regions) or own or [first_figures().region]))
    more = [region for region in MORE_REGIONS if region not in chosen]
    settings = wiring.load_settings()
    book = wiring.price_book(settings, file)
    home = file.policy.home if file else target.location if target and not target.is_laptop else chosen[0]
    offers, known = gather(
        [*chosen, *more],
        names_in(sizes),
        book=book,
        store=wiring.connect(target, settings).store if target else None,
        quotas=wiring.spot_quotas(fleet, [*chosen, *more]) if target else {},
        home=home,
    )
    for doubt in doubts(book, [offer for offer in offers if offer.region in chosen], known):
        errors.print(f"fleetctl: {doubt}", markup=False)
    all_sizes = tuple(dict.fromkeys(offer.size for offer in offers))
    return known, Choices(tuple(chosen), all_sizes, tuple(more), home)


def _canary_size(canary: Canary, file: FleetFile | None, target: Fleet | None, sizes: str) -> str:
    """On which size the job's tiles were made: by their machines' names, or as somebody says."""
    from fleetctl.controller.machine import pool_of
    from fleetctl.money.gather import names_in

    said = names_in(sizes)
    if file and target and not said:
        pools = {pool_of(worker.rpartition("-")[0], target.name) for worker in canary.vms}
        said = list(dict.fromkeys(file.pools[name].size for name in pools if name in file.pools))
    if len(said) != 1:
        raise BadInput("say on which size of machine the job's tiles were made: --sizes SIZE, exactly one")
    return said[0]


def _write(path: Path, made: Answer, known: Knowledge, target: Fleet | None, file: FleetFile | None) -> None:
    from fleetctl.money.fleet_draft import FILL_IN, fleet_text, known_addresses, least_budget, placeholders

    addresses = known_addresses(target, file) if target and file else placeholders(made.pools[0].offer.region)
    text = fleet_text(made, addresses, least_budget(made, known))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
    lines = [number for number, line in enumerate(text.splitlines(), 1) if FILL_IN in line and number > 1]
    request = f"; write in lines {', '.join(map(str, lines))} what says {FILL_IN}" if lines else ""
    errors.print(f"wrote {path}{request}", markup=False)
