"""`fleetctl prioritise`: a region of a job before everything else."""

from __future__ import annotations

from typing import Annotated

import typer

from contract.errors import BadInput
from contract.fleet import Fleet
from fleetctl import wiring
from fleetctl.cli_common import FleetName, errors, named_exits, say_target


@named_exits()
def prioritise(
    regions: Annotated[
        list[str],
        typer.Argument(
            metavar="REGION...", help="As `producer tiles` takes them: a name, bbox:w,s,e,n, a file, or -."
        ),
    ],
    job: Annotated[
        str, typer.Option("--job", metavar="JOB", help="Its id, or its name where only one has it.")
    ],
    fleet: FleetName = None,
) -> None:
    """Put a region's tiles of a job in front of everything that is not urgent, unless they are committed.

    Their first messages stay where they are: whoever meets them finds the commit.

    Example: fleetctl prioritise Wales --job uk-2024-1f2e3d4c
    """
    from contract.job import JobState
    from fleetctl.campaign.job_list import choose_job
    from fleetctl.campaign.job_table import read_state
    from fleetctl.prioritise import Place, look_at_region, put_in_front
    from fleetctl.progress_bars import batch_progress

    target = say_target(fleet)
    storage = wiring.connect(target, wiring.load_settings())
    chosen = choose_job(storage.store, job)
    status = read_state(storage.store, chosen)
    state = status.state if status else None
    if state in {JobState.CANCELLED, JobState.FINISHED}:
        raise BadInput(f"{chosen.id} is {state}: there is nothing of it to hurry")
    region = look_at_region(storage.store, chosen, state, _tile_names(regions, target))
    with batch_progress(errors, "putting in front", len(region.to_put)) as on_tiles:
        put_in_front(storage.store, storage.queues.urgent, chosen, region.to_put, on_tiles)
    for place, count in region.counts.items():
        if count or place is Place.PUT:
            print(f"{count} {place.value}")
    if state is JobState.PAUSED:
        print(f"{chosen.id} is paused: they wait until `fleetctl job resume {chosen.id}`")


def _tile_names(regions: list[str], target: Fleet) -> frozenset[str]:
    """What `producer tiles` makes of the regions. It says itself what is wrong with them."""
    from fleetctl.producing import NOT_INSTALLED, run_producer

    boundaries = ["--boundaries", target.boundaries_file] if target.boundaries_file else []
    made = run_producer(["tiles", *boundaries, "--", *regions], is_output_wanted=True)
    if made.status == NOT_INSTALLED:
        raise BadInput("the producer is not installed here, and it knows the places: install tilefleet whole")
    if not made.is_done:
        raise BadInput("the region has no tiles, so nothing was put in front")
    return frozenset(made.output.split())
