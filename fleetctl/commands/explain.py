"""`fleetctl explain`: what happened to one tile, and what happens next. Words only."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fleetctl.cli_common import AsJson, FleetName, connect, errors, named_exits, output


@named_exits()
def explain(
    place: Annotated[
        str, typer.Argument(metavar="TILE|LAT,LON", help="A tile's name, or a place inside its cell.")
    ],
    job: Annotated[
        str | None,
        typer.Option("--job", metavar="JOB", help="Only as this one asked it; default: every job."),
    ] = None,
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Tell what happened to one tile: who asked, each attempt, what came of it, and what happens next.

    Example: fleetctl explain 54.15,-4.55
    """
    from fleetctl.audit.story_page import story_json, story_page
    from fleetctl.audit.tile_story import find_askings, parse_place, tell_story
    from fleetctl.progress_bars import listing_progress

    tile = parse_place(place)
    store = connect(fleet).store
    askings = find_askings(store, tile, job)
    with listing_progress(errors, "reading the ledger", unit="bytes") as on_bytes:
        stories = list(tell_story(store, tile, askings, on_bytes))
    now = store.now()
    if as_json:
        print(json.dumps([story_json(story, now) for story in stories], indent=2))
        return
    for story in stories:
        output().print(story_page(story, now), soft_wrap=False)
