"""`fleetctl poison`: what workers gave up, and what a person decides about it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from fleetctl import wiring
from fleetctl.cli_common import AsJson, FleetName, errors, named_exits, output, say_target
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from fleetctl.poison.entries import FoundEntry

group = typer.Typer(
    help="Look at what workers gave up; ask it again, or say that it stays given up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

EntryName = Annotated[
    str, typer.Argument(metavar="NAME", help="As `poison list` shows it: DATASET/TILE, TILE, foreign/DIGEST.")
]
OfJob = Annotated[str | None, typer.Option("--job", metavar="JOB", help="Only tiles that this job asks.")]
OfCause = Annotated[str | None, typer.Option("--cause", metavar="CAUSE", help="Only of this cause.")]


@group.command("list")
@named_exits()
def list_entries(
    job: OfJob = None, cause: OfCause = None, as_json: AsJson = False, fleet: FleetName = None
) -> None:
    """List what was given up: the tile, the cause, the workers, and what became of it since.

    Example: fleetctl poison list --job uk-2024-1f2e3d4c
    """
    from fleetctl.poison.tables import entries_table, entry_json

    _, found = _gather(fleet, [], job, cause)
    if as_json:
        print(json.dumps([entry_json(one) for one in found], indent=2))
    else:
        output().print(entries_table(found))


@group.command()
@named_exits()
def show(name: EntryName, as_json: AsJson = False, fleet: FleetName = None) -> None:
    """Show one entry whole: the attempts, the last log lines, and the message as it was received.

    Example: fleetctl poison show grid_-4.55_54.15
    """
    from fleetctl.poison.tables import entry_json, entry_page

    _, (found,) = _gather(fleet, [name], None, None)
    if as_json:
        print(json.dumps(entry_json(found), indent=2))
    else:
        output().print(entry_page(found))


@group.command()
@named_exits()
def replay(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: all that are open.")
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0.01, max=1000, metavar="N", help="Tiles a second, at most.")
    ] = 5.0,
    job: OfJob = None,
    cause: OfCause = None,
    fleet: FleetName = None,
) -> None:
    """Ask poisoned tiles again, with nothing counted against them, no faster than --rate.

    A tile stays explained until its message is on the queue. Typed again, it goes on.

    Example: fleetctl poison replay --cause source --rate 2
    """
    from fleetctl.askers import find_askers
    from fleetctl.poison.pointers import clear_pointers
    from fleetctl.poison.replay import Replayed, Replayer, replay_entries
    from fleetctl.poison.selection import replayable
    from fleetctl.progress_bars import tile_progress
    from fleetctl.suspension_clock import seconds_with_suspension

    storage, found = _gather(fleet, names or [], job, cause)
    chosen = replayable(found, are_named=bool(names))
    connections = wiring.load_settings().connections
    tiles = {(one.entry.dataset, one.entry.tile) for one in chosen if one.entry and one.entry.tile}
    askers = find_askers(storage.store, tiles)
    replayer = Replayer(
        storage.store, storage.queues, askers, now=datetime.now(UTC), clock=seconds_with_suspension
    )
    ends: Counter[Replayed] = Counter()
    try:
        with tile_progress(errors, "asking again", len(chosen)) as on_tile:
            for end in replay_entries(replayer, chosen, per_second=rate, connections=connections):
                ends[end] += 1
                on_tile()
    finally:
        for end in Replayed:
            if ends[end] or end is Replayed.ASKED:
                print(f"{ends[end]} {end.value}")
    if askers.paused:
        print(f"paused, so their tiles wait: {', '.join(sorted(askers.paused))}")
    clear_pointers(storage.store, storage.queues.poison, connections)
    if ends[Replayed.LATE] or ends[Replayed.UNASKED] or ends[Replayed.CHANGED]:
        raise typer.Exit(ExitCode.INCOMPLETE)


@group.command()
@named_exits()
def drop(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As `poison list` shows them.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever asks later.")],
    fleet: FleetName = None,
) -> None:
    """Say that entries stay given up: their tiles remain explained, and are not asked again.

    Example: fleetctl poison drop grid_-4.55_54.15 --reason "no imagery before 2019"
    """
    from fleetctl.poison.drop import drop_entry
    from fleetctl.poison.pointers import clear_pointers

    if not reason.strip():
        raise BadInput("--reason is empty: say why, for whoever asks later")
    storage, found = _gather(fleet, names, None, None)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    for one in found:
        is_new = drop_entry(storage.store, one, reason=reason, when=when)
        print(f"{one.short_name} {'is dropped' if is_new else 'was dropped already'}")
    clear_pointers(storage.store, storage.queues.poison, wiring.load_settings().connections)


def _gather(
    fleet: str | None, names: list[str], job: str | None, cause: str | None
) -> tuple[wiring.Storage, list[FoundEntry]]:
    """The entries that were named, or all of a job and a cause."""
    from fleetctl.poison.entries import choose_entry, entry_names, find_entries
    from fleetctl.poison.selection import check_cause, of_job
    from fleetctl.progress_bars import tile_progress

    if cause is not None:
        check_cause(cause)
    settings = wiring.load_settings()
    storage = wiring.connect(say_target(fleet), settings)
    chosen = entry_names(storage.store)
    if names:
        chosen = list(dict.fromkeys(choose_entry(chosen, name) for name in names))
    if job is not None:
        chosen = of_job(storage.store, job, chosen)
    with tile_progress(errors, "reading entries", len(chosen)) as on_entry:
        found = list(find_entries(storage.store, chosen, settings.connections, on_entry))
    if len(found) < len(names) and len(found) < len(chosen):
        raise BadInput("an entry was removed just now: look at `fleetctl poison list`")
    return storage, [one for one in found if cause is None or (one.entry and one.entry.cause == cause)]
