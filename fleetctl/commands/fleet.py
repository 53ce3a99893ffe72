"""`fleetctl use`, `up`, `plan`, `down`: a whole fleet, from its file to its last machine."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from contract.log_lines import set_up_logging
from fleetctl import wiring
from fleetctl.cli_common import AsJson, FleetName, Yes, confirm, errors, named_exits, output, say_target
from fleetctl.cloud.machines import Refused
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from contract.fleet import Fleet
    from fleetctl.cloud.skus import SizeSeen
    from fleetctl.controller.assemble import World
    from fleetctl.controller.policy import Policy
    from fleetctl.controller.snapshot import VmSeen
    from fleetctl.fleet_file import FleetFile
    from fleetctl.settings import Settings


@named_exits()
def use(
    fleet: Annotated[
        str | None, typer.Argument(metavar="[FLEET]", help="Of fleets/FLEET.toml, a path, or `laptop`.")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Choose none.")] = False,
) -> None:
    """Remember which fleet is meant in this folder when neither --fleet nor FLEET says so.

    The choice is one line in `.fleet`; producer and consumer read it, too.

    Example: fleetctl use uk
    """
    from fleetctl.launch.choice import forget_choice, remember_choice

    if forget == (fleet is not None):
        raise BadInput("name one fleet, or type --forget")
    if fleet is None:
        print("no fleet is chosen here any more" if forget_choice(Path.cwd()) else "no fleet was chosen here")
        return
    chosen = say_target(fleet)
    print(f"{chosen.name} is meant here from now on: {remember_choice(Path.cwd(), fleet)}")


@named_exits()
def plan(as_json: AsJson = False, fleet: FleetName = None) -> None:
    """Show what `watch` would do now, and why. Nothing is written, nothing is started.

    Status 1 when something could not be seen: then `watch` does only what is safe.

    Example: fleetctl plan --fleet uk
    """
    from fleetctl.controller.plan import plan_tick
    from fleetctl.launch.tables import plan_json, plan_table

    set_up_logging()
    planned = plan_tick(wiring.connect_world(fleet, say_target(fleet), wiring.load_settings()))
    if as_json:
        print(json.dumps(plan_json(planned), indent=2))
    else:
        output().print(plan_table(planned))
    if planned.seen.missing:
        raise typer.Exit(ExitCode.INCOMPLETE)


@named_exits()
def up(yes: Yes = False, fleet: FleetName = None) -> None:
    """Check a fleet file whole, show what it may cost, ask, make its queues, and start machines for what waits.

    One tick: `fleetctl watch` goes on from there. Lifts a `down`, and tries again
    at once where a role or quota was missing. Status 1 when the cloud refused something.

    Example: fleetctl up --fleet uk
    """
    from fleetctl.controller.actions import Verb
    from fleetctl.controller.wishes import ask_again, lift_down
    from fleetctl.launch.running import somebody_leads, tick_once

    set_up_logging()
    settings = wiring.load_settings()
    with _budget_looked_at(fleet, settings):
        chosen = say_target(fleet)
        file = wiring.load_operator_file(fleet, chosen)
    _show_and_check(chosen, file, settings)
    confirm(f"start {chosen.name} with these machines?", "nothing was made", yes=yes)
    wiring.ensure_storage(chosen, settings)
    world = wiring.connect_world(fleet, chosen, settings)
    lift_down(world.store)
    ask_again(world.store, reason="a person typed `fleetctl up`")
    if name := somebody_leads(world.store):
        print(f"{name} leads, and goes on with its next tick")
        return
    code, ticked = tick_once(world)
    refused = dict(ticked.refused) if ticked else {}
    tried = [action for action in ticked.tried if action.verb is not Verb.FORGET_WISH] if ticked else []
    for action in tried:
        print(f"refused: {action}: {refused[action]}" if action in refused else str(action))
    if ticked and not tried:
        print("nothing waits, so no machine is started; `producer enqueue` brings tiles")
    print("`fleetctl watch` goes on: without it nothing is restarted, and nobody keeps the budget")
    raise typer.Exit(code or (ExitCode.INCOMPLETE if refused else ExitCode.DONE))


@named_exits()
def down(
    yes: Yes = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until the last machine is gone.")] = True,
    fleet: FleetName = None,
) -> None:
    """Let every machine of the fleet finish its tiles and go, with its disk; none is made until `fleetctl up`.

    Storage stays, with all results. Ctrl-C ends the waiting, not the wish: typed again, it goes on.

    Example: fleetctl down --fleet uk
    """
    from fleetctl.controller.wishes import take_down
    from fleetctl.launch.leave import keep_going_down, remaining_words

    set_up_logging()
    chosen, settings = say_target(fleet), wiring.load_settings()
    world = wiring.connect_world(fleet, chosen, settings)
    machines = [vm.name for vm in _listed(world)]
    question = f"let all {len(machines)} machines of {chosen.name} go, for good?"
    confirm(question, "no machine was touched", yes=yes)
    take_down(world.store, reason="a person typed `fleetctl down`")
    if wait:
        keep_going_down(world, len(machines), errors)
    print(remaining_words(world.store, chosen, errors))


@contextmanager
def _budget_looked_at(named: str | None, settings: Settings) -> Iterator[None]:
    """A file with other mistakes in it may have a budget that is too small as well: all is told at once."""
    try:
        yield
    except BadInput as error:
        told = [str(error), *wiring.why_too_dear(named, settings), "nothing was made"]
        raise BadInput("\n".join(told)) from error


def _listed(world: World) -> list[VmSeen]:
    try:
        return list(world.machines.list_states())
    except Refused as error:
        raise BadInput(f"{error}") from error


def _show_and_check(fleet: Fleet, file: FleetFile, settings: Settings) -> None:
    """Print pools and prices; BadInput with every problem at once."""
    from fleetctl.cloud.new_vms import check_bodies
    from fleetctl.launch.check import why_not_up
    from fleetctl.launch.tables import pools_table

    policy = file.policy
    figures = wiring.price_book(settings, file).look_up(pool.offer for pool in policy.pools)
    usd_per_hour = {offer: figure.value for offer, figure in figures.items()}
    output().print(pools_table(policy, usd_per_hour))
    sizes = _sizes(fleet, file, policy)
    problems = check_bodies(fleet, file) + why_not_up(policy, sizes, usd_per_hour, file.place, time.time())
    if problems:
        raise BadInput("\n".join([*problems, "nothing was made"]))


def _sizes(fleet: Fleet, file: FleetFile, policy: Policy) -> Mapping[str, Mapping[str, SizeSeen]]:
    """What each region of the pools offers. BadInput when the cloud does not say so."""
    machines = wiring.connect_machines(fleet, file)
    try:
        return {region: machines.sizes(region) for region in {pool.offer.region for pool in policy.pools}}
    except Refused as error:
        raise BadInput(f"{error}; nothing was made") from error
