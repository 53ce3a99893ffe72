"""`laptop-cloud virtual-fleet`: many bad days of a fleet in virtual time."""

from __future__ import annotations

from typing import Annotated

import typer


def add_virtual_fleet(app: typer.Typer) -> None:
    """Give the command to the program."""
    app.command("virtual-fleet")(virtual_fleet)


def virtual_fleet(
    tiles: Annotated[int, typer.Option(min=1, max=1_000_000, help="Tiles per run.")] = 10_000,
    seeds: Annotated[int, typer.Option(min=1, help="How many runs: seeds 1, 2, 3 and so on.")] = 200,
    seed: Annotated[int | None, typer.Option(help="Only this one.")] = None,
    evictions_per_vm_hour: Annotated[
        float, typer.Option(min=0, max=1000, help="How often a machine is taken.")
    ] = 0.5,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Runs side by side.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print every run as JSON.")] = False,
) -> None:
    """Run bad days of a fleet in virtual time: the worker's own code, evictions, crashes, storage trouble.

    Exit status 1 when a law is broken: a tile lost, done twice, or given up without deserving it. The seed of
    such a run, the story of the tile and the command that repeats it are printed.

    Example: laptop-cloud virtual-fleet --tiles 500 --seeds 10
    """
    from laptop_cloud.virtual.scenario import bad_days  # noqa: PLC0415
    from laptop_cloud.virtual.show import show_runs  # noqa: PLC0415

    scenario = bad_days(tiles, evictions_per_vm_hour=evictions_per_vm_hour)
    chosen = [seed] if seed is not None else range(1, seeds + 1)
    if not show_runs(scenario, chosen, processes=processes, as_json=as_json):
        raise typer.Exit(1)
