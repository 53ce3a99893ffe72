"""Everything that the container tells of one tile of one dataset: who asked, what was tried, what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit import Standing, read_commit, read_standing
from contract.commit_record import CommitRecord
from contract.errors import BadInput, NotFound
from contract.heartbeat import HeldTile, read_heartbeats
from contract.job import Job, JobState
from contract.job_store import read_asked, read_cursor
from contract.json_text import parse_object
from contract.tile_id import GridCell, TileId, parse_tile
from fleetctl.audit.examine import examine
from fleetctl.audit.faults import Fault
from fleetctl.audit.tile_attempts import Attempt, fold_attempts, read_tile_events
from fleetctl.campaign.job_list import choose_job, survey_jobs
from fleetctl.campaign.job_table import read_state
from fleetctl.poison.entries import EntryState, FoundEntry, find_entry


@dataclass(frozen=True, slots=True)
class Asking:
    """One job that asks the tile."""

    job: Job
    state: JobState | None
    """None: its record was written, but it was never started."""
    position: int
    """In its asked list, from 0."""
    is_sent: bool
    """The enqueue cursor is past it: its message was put, or it was done when its turn came."""


@dataclass(frozen=True, slots=True)
class Result:
    """One generation's commit, and what became of it."""

    generation: int
    record: CommitRecord | None
    """None: it cannot be read."""
    published_at: str
    """UTC, ISO 8601; empty: not yet."""
    revoked: str
    """Why it no longer counts; empty: it does."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """A worker whose heartbeat names the tile."""

    worker: str
    age_seconds: float
    held: HeldTile


@dataclass(frozen=True, slots=True)
class TileStory:
    """One tile of one dataset."""

    tile: TileId
    dataset: str
    askings: tuple[Asking, ...]
    attempts: tuple[Attempt, ...]
    standing: Standing
    results: tuple[Result, ...]
    faults: tuple[Fault, ...]
    """Of the result that counts, from the store's own lengths and MD5."""
    poison: FoundEntry | None
    holders: tuple[Holder, ...]
    checkpoints: int
    staging: int
    """Blobs that attempts uploaded and nobody cleared yet."""

    @property
    def is_given_up(self) -> bool:
        return self.poison is not None and self.poison.state is not EntryState.RESOLVED


def parse_place(text: str) -> TileId:
    """A tile by its name, or the 0.1-degree cell around `LAT,LON`; BadInput otherwise."""
    latitude_text, comma, longitude_text = text.partition(",")
    if not comma:
        return parse_tile(text)
    try:
        latitude, longitude = float(latitude_text), float(longitude_text)
    except ValueError as error:
        raise BadInput(f"{text[:60]!r} is no place: write LAT,LON in degrees, as 54.15,-4.55") from error
    if not (-90 <= latitude < 90 and -180 <= longitude < 180):
        raise BadInput(f"{text[:60]!r} is no place: the latitude comes first, -90 to 90, then -180 to 180")
    return GridCell(row=floor(latitude * 10), column=floor(longitude * 10))


def find_askings(store: BlobStore, tile: TileId, job: str | None) -> tuple[Asking, ...]:
    """The jobs whose lists name the tile, or the one that was named; BadInput when none does. A job whose records
    are damaged, unless it was named, hides no other one."""
    if job is not None:
        chosen = choose_job(store, job)
        who, found = f"job {chosen.id}", [_asking(store, tile, chosen)]
    else:
        who, found = (
            "any job of this fleet",
            [_asking_if_readable(store, tile, one) for one in survey_jobs(store).jobs],
        )
    askings = tuple(asking for asking in found if asking is not None)
    if not askings:
        raise BadInput(f"{tile} is not asked for by {who}: `producer enqueue` asks for tiles")
    return askings


def tell_story(
    store: BlobStore,
    tile: TileId,
    askings: tuple[Asking, ...],
    on_ledger_bytes: Callable[[int, int], None] = lambda *_: None,
) -> Iterator[TileStory]:
    """One story per dataset that the tile is asked of. The ledger is gone through once."""
    since = min(_moment(asking.job.created) for asking in askings)
    attempts = fold_attempts(read_tile_events(store, tile.name, since, on_ledger_bytes))
    heartbeats = read_heartbeats(store).seen
    for dataset in dict.fromkeys(asking.job.dataset for asking in askings):
        standing = read_standing(store, dataset, tile)
        yield TileStory(
            tile=tile,
            dataset=dataset,
            askings=tuple(asking for asking in askings if asking.job.dataset == dataset),
            attempts=tuple(attempt for attempt in attempts if attempt.dataset == dataset),
            standing=standing,
            results=tuple(_result(store, dataset, tile, n) for n in sorted(standing.committed)),
            faults=examine(store, dataset, tile).finding.faults,
            poison=find_entry(store, artifact_names.poison(dataset, tile)),
            holders=tuple(
                Holder(seen.heartbeat.worker, seen.age_seconds, held)
                for seen in heartbeats
                for held in seen.heartbeat.tiles
                if (held.dataset, held.tile) == (dataset, tile.name)
            ),
            checkpoints=_count(store, artifact_names.checkpoints_of(dataset), tile),
            staging=_count(store, artifact_names.staging_of(dataset), tile),
        )


def _asking_if_readable(store: BlobStore, tile: TileId, job: Job) -> Asking | None:
    try:
        return _asking(store, tile, job)
    except (BadInput, NotFound):
        return None


def _asking(store: BlobStore, tile: TileId, job: Job) -> Asking | None:
    lines = b"\n" + read_asked(store, job)
    at = lines.find(f"\n{tile.name}\n".encode())
    if at < 0:
        return None
    position = lines.count(b"\n", 0, at)
    state = read_state(store, job)
    is_sent = position < read_cursor(store, job.id).position
    return Asking(job, state.state if state else None, position, is_sent)


def _result(store: BlobStore, dataset: str, tile: TileId, generation: int) -> Result:
    revoked = _revocation(store, artifact_names.revocation(dataset, tile, generation))
    try:
        committed = read_commit(store, dataset, tile, generation)
    except BadInput as error:
        return Result(generation, None, "", revoked, str(error))
    if committed is None:
        return Result(generation, None, "", revoked, "it vanished a moment ago")
    return Result(generation, committed.record, committed.published_at, revoked)


def _revocation(store: BlobStore, name: str) -> str:
    try:
        record = parse_object(store.read(name).data, name)
    except NotFound:
        return ""
    except BadInput as error:
        return str(error)
    return f"{record.get('revoked', '')} {record.get('reason', '')}".strip() or "without a reason"


def _count(store: BlobStore, prefix: str, tile: TileId) -> int:
    return sum(1 for _ in store.names(f"{prefix}{tile.path_name}/"))


def _moment(created: str) -> datetime:
    """When a job was asked; long ago where its record does not say it in a way that we know."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
