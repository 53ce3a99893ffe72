"""Is there any imagery at all of this region and year? Asked once, before tiles are put on a queue.

A worker that finds no scene calls its tile empty. Where a catalogue was never filled, or the year has not
come, a whole region would end so, each tile for good reasons of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
import urllib3

from contract.broken_connection import broken_connection
from contract.errors import BadInput
from contract.tile_id import GridCell
from producer.grid import Cells

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 20.0
LARGEST_ANSWER_BYTES = 16 << 20
"""One scene's item has some 20 KB."""

Box = tuple[float, float, float, float]
"""(west, south, east, north) in degrees."""


@dataclass(frozen=True, slots=True)
class Question:
    """One collection over one box in one year."""

    stac_url: str
    collection: str
    box: Box
    year: int

    @property
    def body(self) -> dict[str, Any]:
        """What every STAC API understands."""
        return {
            "collections": [self.collection],
            "bbox": list(self.box),
            "datetime": f"{self.year}-01-01T00:00:00Z/{self.year}-12-31T23:59:59Z",
            "limit": 1,
        }


class NoAnswer(Exception):
    """The catalogue is away, busy, or says nothing that could be understood."""


def box_around(cells: Cells) -> Box:
    """Of all cells; a region on both sides of the antimeridian gets all the way round."""
    (south_row, west_column), (north_row, east_column) = np.min(cells, axis=0), np.max(cells, axis=0)
    west, south, _, _ = GridCell(column=int(west_column), row=int(south_row)).bounds
    _, _, east, north = GridCell(column=int(east_column), row=int(north_row)).bounds
    return west, south, east, north


def check_imagery(stac_url: str, collections: Sequence[str], cells: Cells, years: Sequence[int]) -> list[str]:
    """Warnings for a person; BadInput when some year has nothing of any collection.

    A catalogue that does not answer is a warning: the workers will ask it again, and wait for it.
    """
    box = box_around(cells)
    warnings: list[str] = []
    for year in years:
        try:
            missing = [name for name in collections if not has_any(Question(stac_url, name, box, year))]
        except NoAnswer as error:
            return [*warnings, f"could not ask {_host(stac_url)} whether it has imagery: {error}; going on"]
        if collections and len(missing) == len(collections):
            raise BadInput(
                f"{_host(stac_url)} has no scene of {' or '.join(collections)} over this region in {year}: choose "
                "another year or catalogue, or add --no-preflight"
            )
        warnings += [
            f"{_host(stac_url)} has no scene of {name} over this region in {year}" for name in missing
        ]
    return warnings


def has_any(question: Question) -> bool:
    """Whether the catalogue lists a scene. NoAnswer when it cannot be told."""
    url = f"{question.stac_url.rstrip('/')}/search"
    try:
        with requests.post(
            url,
            json=question.body,
            timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != requests.codes.ok:
                raise NoAnswer(f"HTTP {response.status_code}")
            text = response.raw.read(LARGEST_ANSWER_BYTES + 1, decode_content=True)
        if len(text) > LARGEST_ANSWER_BYTES:
            raise NoAnswer("its answer has no end")
        features = json.loads(text)["features"]
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise NoAnswer(broken_connection(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NoAnswer("its answer is no list of scenes") from error
    if not isinstance(features, list):
        raise NoAnswer("its answer is no list of scenes")
    return bool(features)


def _host(url: str) -> str:
    return f"the catalogue at {urlsplit(url).netloc}"
