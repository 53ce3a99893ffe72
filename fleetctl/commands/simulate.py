"""`fleetctl simulate`: what a region would take, before a machine is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contract.errors import BadInput
from fleetctl.cli_common import AsJson, errors, named_exits, output

WORLD = "world"


@named_exits()
def simulate(
    region: Annotated[
        str,
        typer.Argument(metavar="REGION", help="As `producer tiles` takes it; or `world`: 1.6 million tiles."),
    ],
    vms: Annotated[
        int | None, typer.Option(min=1, max=5000, help="Machines at most.  [default: 81, world: 2000]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all chance: the same seed is the same story.")] = 1,
    hours: Annotated[
        float, typer.Option(min=0.1, max=20_000, help="Simulated hours after which it is cut off.")
    ] = 5000.0,
    as_json: AsJson = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="A picture of machines and tiles over time.")
    ] = None,
) -> None:
    """Run the controller's own decisions against a modelled cloud, and compare them with what operators did.

    Nothing is started and nothing is asked of any cloud; all figures are simulated, and what they rest on is said.

    Example: fleetctl simulate Ireland --vms 40 --plot ireland.png
    """
    import json

    from fleetctl.progress_bars import batch_progress
    from fleetctl.simulation.compare import as_json as to_json
    from fleetctl.simulation.compare import assumptions, compare, table_of
    from fleetctl.simulation.world import WORLD_TILES, World

    is_world = region.lower() == WORLD
    tiles = WORLD_TILES if is_world else _count_tiles(region)
    world = World(vms or (2000 if is_world else 81))
    with batch_progress(errors, f"simulating {region}", tiles) as on_tiles:
        seen = 0

        def on_tick(done: int) -> None:
            nonlocal seen
            on_tiles(done - seen)
            seen = done

        runs = compare(world, tiles, seed, most_hours=hours, on_tick=on_tick)
    if plot is not None:
        from fleetctl.simulation.plot import write_plot

        write_plot(plot, f"{region}, {world.vms} machines", runs)
    if as_json:
        print(json.dumps(to_json(world, seed, runs), indent=2))
        return
    output().print(table_of(runs))
    for sentence in assumptions(world):
        print(sentence)
    print(f"seed {seed}")


def _count_tiles(region: str) -> int:
    """How many `producer tiles` makes of it. It says itself what is wrong with it."""
    from fleetctl.producing import NOT_INSTALLED, run_producer

    made = run_producer(["tiles", "--", region], is_output_wanted=True)
    if made.status == NOT_INSTALLED:
        raise BadInput("the producer is not installed here, and it knows the places: install tilefleet whole")
    if not made.is_done:
        raise BadInput("the region has no tiles, so there is nothing to simulate")
    return len(made.output.split())
