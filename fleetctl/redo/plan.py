"""A redo as it was decided: which generation of which tiles, stored before the first of them is touched.

An interrupted redo goes on from its stored plan. Choosing again would not do: tiles that are done again
meanwhile would be done a third time, and those that were revoked last would no longer be found.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contract.artifact_names import job_redo
from contract.blob_store import BlobStore
from contract.errors import AlreadyExists, BadInput, Changed
from contract.job import Job
from contract.json_text import parse_object, short_digest, to_bytes
from contract.tile_id import parse_tile
from fleetctl.redo.choose import RedoTile

VERSION = 1
POSITION = "position"
COUNT = "count"
CARRIER = "carrier"
"""Who wrote the position: when an answer is lost, the repeat of a write meets what the first try did."""


@dataclass(frozen=True, slots=True)
class RedoPlan:
    """One redo of one job."""

    blob_name: str
    etag: str
    what: str
    """What was typed: `corrupt`, `where lost>0`, `tiles 1f2e3d4c`. The same words go on with the same plan."""
    reason: str
    tiles: tuple[RedoTile, ...]
    position: int
    """How many of the tiles, from the front, are asked again."""
    carrier: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)
    """Who carries it out here; drawn when it is stored or read."""

    @property
    def rest(self) -> tuple[RedoTile, ...]:
        return self.tiles[self.position :]


def store_plan(
    store: BlobStore, job: Job, *, what: str, reason: str, tiles: Sequence[RedoTile], now: datetime
) -> RedoPlan:
    """Write a plan down. AlreadyExists when the same was decided in the same second."""
    entries = [[one.tile.name, one.generation] for one in tiles]
    name = job_redo(job.id, f"{now:%Y%m%dT%H%M%SZ}-{short_digest([what, entries])}")
    record = {"v": VERSION, "what": what, "reason": reason, "tiles": entries}
    plan = RedoPlan(name, "", what, reason, tuple(tiles), 0)
    try:
        etag = store.create(name, to_bytes(record), metadata=_marks(plan, 0)).etag
    except AlreadyExists:
        if (ours := _etag_if_ours(store, plan, 0)) is None:
            raise
        etag = ours
    return replace(plan, etag=etag)


def unfinished_plans(store: BlobStore, job: Job) -> list[RedoPlan]:
    """Those that were interrupted, the oldest first. BadInput for one that this program cannot have written."""
    listed = store.listing(job_redo(job.id), with_metadata=True)
    return [
        _read_plan(store, info.name)
        for info in listed
        if info.metadata.get(POSITION) != info.metadata.get(COUNT)
    ]


def advance(store: BlobStore, plan: RedoPlan, etag: str, position: int) -> str:
    """Write down how far the plan is; the new ETag. BadInput when somebody else carries it out as well."""
    try:
        return store.set_metadata(plan.blob_name, _marks(plan, position), if_etag=etag).etag
    except Changed as error:
        if (ours := _etag_if_ours(store, plan, position)) is not None:
            return ours
        raise BadInput(
            f"somebody else goes on with the redo {plan.what!r}: let it finish, then look at `fleetctl jobs`"
        ) from error


def _read_plan(store: BlobStore, name: str) -> RedoPlan:
    blob = store.read(name)
    record = parse_object(blob.data, "the redo plan")
    try:
        if record["v"] != VERSION:
            raise BadInput(f"{name} has version {record['v']!r}, this program knows {VERSION}")
        return RedoPlan(
            blob_name=name,
            etag=blob.info.etag,
            what=str(record["what"]),
            reason=str(record["reason"]),
            tiles=tuple(RedoTile(parse_tile(tile), int(generation)) for tile, generation in record["tiles"]),
            position=int(blob.info.metadata[POSITION]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{name} lacks or misstates {error}") from error


def _marks(plan: RedoPlan, position: int) -> dict[str, str]:
    return {POSITION: str(position), COUNT: str(len(plan.tiles)), CARRIER: plan.carrier}


def _etag_if_ours(store: BlobStore, plan: RedoPlan, position: int) -> str | None:
    """The ETag of the plan's blob if we wrote that position there, without having heard of it."""
    info = store.info(plan.blob_name)
    return info.etag if info.metadata == _marks(plan, position) else None
