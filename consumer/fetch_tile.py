"""`consumer fetch`: one tile's imagery on this machine's disk, with a bar on stderr and an end that says why."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from consumer.exit_codes import ExitCode
from consumer.notices.signals import EXIT_AT_ONCE, SignalNotice
from consumer.recipe_tools import recipe_tool
from contract.errors import BadInput, GiveUp, Stopped, TryLater
from contract.tile_id import TileId, parse_tile

FIRST_YEAR = 2015
"""Sentinel-2 began that summer."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What a person asked for, checked as far as it can be without the recipe."""

    tile: TileId
    year: int
    output: Path
    stac_url: str
    cache_folder: Path
    """Of this machine: what was learned about hosts is kept there."""
    settings: Mapping[str, str]
    """The recipe's parameters, as typed."""
    land: Path | None = None
    """Polygons in degrees (FlatGeobuf): only what lies around them is read. None: the whole tile."""


def read_request(
    tile: str,
    year: int,
    output: Path,
    *,
    stac_url: str,
    cache_folder: Path,
    settings: Mapping[str, str],
    land: Path | None,
) -> FetchRequest:
    """BadInput, in one sentence, for a tile, a year or a path that is none."""
    if not FIRST_YEAR <= year <= datetime.now(UTC).year:
        raise BadInput(f"there is no imagery of {year}: choose a year from {FIRST_YEAR} on")
    if land is not None and not land.is_file():
        raise BadInput(f"there is no file of land polygons at {land}")
    if output.exists() and not output.is_dir():
        raise BadInput(f"{output} is a file: name a folder for the cube")
    return FetchRequest(parse_tile(tile), year, output, stac_url, cache_folder, settings, land)


def fetch_tile(recipe: str, request: FetchRequest) -> int:
    """Fetch it; the exit status. BadInput for what is wrong with the request."""
    tool = recipe_tool(recipe, "fetch_cube", purpose="fetch a tile by itself")
    signals = SignalNotice()
    signals.install()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"{request.tile} {request.year}", total=1.0)

        def progress(share: float) -> None:
            bar.update(task, completed=share)
            if signals.is_set:
                raise Stopped("interrupted")

        try:
            came = tool.fetch(request, progress)
        except Stopped as error:
            return _say(f"{error}; nothing was written", EXIT_AT_ONCE)
        except TryLater as error:
            return _say(f"the source of {request.tile} is in trouble: {error}", ExitCode.FAULT)
        except GiveUp as error:
            return _say(f"{request.tile} cannot be fetched: {error}", ExitCode.FAULT)
        except (OSError, MemoryError) as error:
            return _say(f"this machine could not hold {request.tile}: {error or 'memory'}", ExitCode.UNFIT)
    _say(came, ExitCode.DONE)
    sys.stdout.write(f"{request.output}\n")
    return ExitCode.DONE


def _say(sentence: str, status: int) -> int:
    sys.stderr.write(f"consumer: {sentence}\n")
    return status
