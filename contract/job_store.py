"""Job and dataset records in the container: written once, found by name, the changing part under its ETag.

Order of writing, so that whoever finds a record finds all that it names: dataset, asked list, job, state,
then the cursor. The lease on the cursor admits one producer: the store adds a lease of ours to what we
write, so a producer that lost it cannot move the cursor either.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches

from contract.artifact_names import (
    JOBS_PREFIX,
    dataset_record,
    job_asked,
    job_cursor,
    job_record,
    job_state,
)
from contract.blob_store import BlobLease, BlobStore
from contract.dataset import Dataset, decode_dataset
from contract.errors import AlreadyExists, BadInput, NotFound
from contract.job import (
    ID_PATTERN,
    Job,
    JobStatus,
    asked_digest,
    decode_job,
    decode_job_status,
)
from contract.json_text import parse_object, to_bytes
from contract.tile_id import TileId, parse_tile

CURSOR_VERSION = 1
PRODUCER_LEASE_SECONDS = 15
"""The shortest that a blob lease may last: a dead producer bars the next one for so long."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the asked list was gone through."""

    position: int
    """Index in the asked list (never in a filtered one) of the first tile that is not confirmed:
    every tile before it was put on the queue, or was done when its turn came."""


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """A job's state as it was read."""

    status: JobStatus
    etag: str


def create_once(store: BlobStore, name: str, data: bytes) -> bool:
    """Write a record that never changes; False when it was there already, BadInput when another one was."""
    try:
        store.create(name, data)
    except AlreadyExists:
        if store.read(name).data != data:
            raise BadInput(
                f"{name} is there already and differs: somebody else's program wrote it, look at it first"
            ) from None
        return False
    return True


def list_jobs(store: BlobStore) -> Iterator[Job]:
    """Every job of the container, in the order of their ids. Records of other versions are BadInput."""
    for name in store.names(JOBS_PREFIX):
        if name == job_record(name.removeprefix(JOBS_PREFIX).partition("/")[0]):
            yield decode_job(store.read(name).data)


def find_job(store: BlobStore, job_id: str) -> Job | None:
    """The job of that id, or None."""
    if not ID_PATTERN.fullmatch(job_id):
        raise BadInput(f"{job_id[:80]!r} is no job id; `producer jobs` lists them")
    try:
        return decode_job(store.read(job_record(job_id)).data)
    except NotFound:
        return None


def read_job(store: BlobStore, job_id: str) -> Job:
    """The job of that id; BadInput that names the nearest one otherwise."""
    job = find_job(store, job_id)
    if job is None:
        close = get_close_matches(job_id, [other.id for other in list_jobs(store)], n=1)
        hint = f"did you mean {close[0]}?" if close else "`producer jobs` lists them"
        raise BadInput(f"there is no job {job_id!r}; {hint}")
    return job


def read_dataset(store: BlobStore, name: str) -> Dataset:
    """The dataset of that name; BadInput when there is none."""
    try:
        return decode_dataset(store.read(dataset_record(name)).data)
    except NotFound as error:
        raise BadInput(f"there is no dataset {name[:80]!r} in this container") from error


def read_status(store: BlobStore, job_id: str) -> StoredStatus:
    """A job's state and the ETag to change it under. NotFound when the job was never started."""
    blob = store.read(job_state(job_id))
    return StoredStatus(decode_job_status(blob.data), blob.info.etag)


def write_status(store: BlobStore, job_id: str, status: JobStatus, *, if_etag: str) -> str:
    """Change a job's state; the new ETag. Changed when somebody else did so since it was read."""
    return store.replace(job_state(job_id), status.encode(), if_etag=if_etag).etag


def read_asked(store: BlobStore, job: Job) -> bytes:
    """The asked list as it was stored; BadInput when its digest is not the job's."""
    data = store.read(job_asked(job.id)).data
    if asked_digest(data) != job.asked_sha256:
        raise BadInput(
            f"the asked list of job {job.id} was changed, its digest is not the recorded one: cancel that job, and "
            "ask again under another --job name"
        )
    return data


def asked_tiles(asked: bytes, start: int = 0) -> Iterator[TileId]:
    """The tiles of an asked list from index `start` on, one at a time: memory does not grow with the list."""
    for line in itertools.islice(io.BytesIO(asked), start, None):
        yield parse_tile(line.decode("ascii").rstrip("\n"))


def read_cursor(store: BlobStore, job_id: str) -> Cursor:
    """How far the job was enqueued; the beginning when it never was."""
    try:
        record = parse_object(store.read(job_cursor(job_id)).data, "the enqueue cursor")
    except NotFound:
        return Cursor(0)
    position = record.get("position")
    if record.get("v") != CURSOR_VERSION or not isinstance(position, int) or position < 0:
        raise BadInput(f"the enqueue cursor of job {job_id} is not one that this program can have written")
    return Cursor(position)


def write_cursor(store: BlobStore, job_id: str, cursor: Cursor) -> None:
    """Store how far the job is enqueued. Changed when another producer has the lease."""
    store.put(job_cursor(job_id), _encode_cursor(cursor))


def lease_for_producing(store: BlobStore, job_id: str) -> BlobLease:
    """Be the one producer of a job. AlreadyExists while another is; a dead one's lease ends by itself."""
    with suppress(AlreadyExists):
        store.create(job_cursor(job_id), _encode_cursor(Cursor(0)))
    return store.lease(job_cursor(job_id), PRODUCER_LEASE_SECONDS)


def _encode_cursor(cursor: Cursor) -> bytes:
    return to_bytes({"v": CURSOR_VERSION, "position": cursor.position})
