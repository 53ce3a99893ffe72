"""A process that answers like a container of N finished tiles, four artifacts each, some of them damaged.

Every name, length and hash follows from a tile's number, so that it keeps nothing but the numbers of the damaged
tiles; it answers List Blobs, Get Blob and its properties, and checks no signature.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from urllib.parse import parse_qs, unquote, urlsplit

from contract import artifact_names
from contract.commit_marks import PUBLISHED, marks_of_artifact, marks_of_commit
from contract.commit_record import CommitRecord, CommittedArtifact
from contract.dataset import Dataset
from contract.job import Job, JobState, JobStatus, asked_digest, encode_asked
from contract.outcomes import Outcome
from contract.tile_id import GridCell

DATASET = Dataset(
    "tessera", "1", "2024", {"model": "v2-nano"}, None, is_trained=True, boundaries_sha256="b" * 64
)
ROOT = artifact_names.dataset_root(DATASET.name)
PAGE_BLOBS = 5000
SIDE = 1600
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"
FOLDER = "global_0.1_degree_representation/2024"
KINDS = ("missing", "wrong length", "wrong MD5")
LENGTHS = (154_000_128, 4_812_628, 60_000, 250_000)


def cell_of(number: int) -> GridCell:
    """Cells whose names all have one length, in the order in which a listing gives their names."""

    def index(place: int, tenths: int) -> int:
        half = SIDE // 2
        return -(tenths + place) - 1 if place < half else tenths + place - half

    return GridCell(column=index(number // SIDE, 1000), row=index(number % SIDE, 100))


def artifact_name(cell: GridCell, kind: int) -> str:
    return (
        f"{FOLDER}/{cell.name}/{cell.name}.npy",
        f"{FOLDER}/{cell.name}/{cell.name}_scales.npy",
        f"global_0.1_degree_tiff_all/{cell.name}.tiff",
        f"previews/2024/{cell.name}.png",
    )[kind]


def md5_of(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


@dataclass(frozen=True)
class Stored:
    """One blob of the dataset."""

    name: str
    """Below the dataset's root."""
    length: int
    md5: bytes
    metadata: dict[str, str]

    @property
    def xml(self) -> str:
        metadata = "".join(f"<{key}>{value}</{key}>" for key, value in self.metadata.items())
        return (
            f"<Blob><Name>{ROOT}{self.name}</Name><Properties><Creation-Time>{DATE}</Creation-Time>"
            f"<Last-Modified>{DATE}</Last-Modified><Etag>0x8DE0123456789AB</Etag>"
            f"<Content-Length>{self.length}</Content-Length><Content-Type>application/octet-stream</Content-Type>"
            "<Content-Encoding /><Content-Language /><Content-CRC64 />"
            f"<Content-MD5>{base64.b64encode(self.md5).decode()}</Content-MD5><Cache-Control />"
            "<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
            "<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>"
            "<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties>"
            f"<Metadata>{metadata}</Metadata><OrMetadata /></Blob>"
        )


@dataclass(frozen=True)
class Tiles:
    """The container's tiles."""

    count: int
    wrong: dict[int, str]
    """What is wrong with the first artifact, by the tile's number."""

    @cached_property
    def job(self) -> Job:
        digest = asked_digest(self.asked)
        return Job(
            "bench",
            DATASET.name,
            self.count,
            digest,
            "bench",
            False,
            0,
            "tessera",
            {},
            "bench",
            "2026-03-01T00:00:00Z",
        )

    @cached_property
    def asked(self) -> bytes:
        return encode_asked(cell_of(number) for number in range(self.count))

    def record(self, number: int) -> CommitRecord:
        cell = cell_of(number)
        staging = artifact_names.staging_prefix(DATASET.name, cell, 1, "a")
        names = [artifact_name(cell, kind) for kind in range(4)]
        artifacts = tuple(
            CommittedArtifact(name, staging + name, length, "0" * 64, md5_of(name).hex())
            for name, length in zip(names, LENGTHS, strict=True)
        )
        return CommitRecord(DATASET.name, cell, 1, "a", Outcome.DONE, artifacts, {}, {})

    def blob(self, place: int) -> Stored | None:
        """What is at a place of the listing; None: what was there is gone."""
        if place < self.count:
            marks = {**marks_of_commit(self.record(place)), PUBLISHED: "2026-03-01T12:00:00Z"}
            return Stored(f"commits/{cell_of(place).name}/g1", 2000, b"\0" * 16, marks)
        if place < 3 * self.count:  # two artifacts lie in a folder of their tile
            return self.artifact((place - self.count) // 2, (place - self.count) % 2)
        return self.artifact(place % self.count, place // self.count - 1)

    def artifact(self, number: int, kind: int) -> Stored | None:
        """As it is stored; None: it is gone."""
        cell, wrong = cell_of(number), self.wrong.get(number) if kind == 0 else None
        if wrong == "missing":
            return None
        name, length = artifact_name(cell, kind), LENGTHS[kind]
        md5 = md5_of(name) if wrong != "wrong MD5" else b"\1" * 16
        return Stored(name, length - (wrong == "wrong length"), md5, marks_of_artifact(cell, 1))

    def small_blobs(self) -> dict[str, bytes]:
        """The job's own records, and the commits of the damaged tiles."""
        job = self.job
        status = JobStatus(JobState.RUNNING, "", job.created)
        commits = [self.record(number) for number in self.wrong]
        return {
            artifact_names.dataset_record(DATASET.name): DATASET.encode(),
            artifact_names.job_record(job.id): job.encode(),
            artifact_names.job_asked(job.id): self.asked,
            artifact_names.job_state(job.id): status.encode(),
            artifact_names.job_cursor(job.id): json.dumps({"v": 1, "position": self.count}).encode(),
            **{record.blob_name: record.encode() for record in commits},
        }


class _Handler(BaseHTTPRequestHandler):
    """List Blobs, Get Blob, Get Blob Properties."""

    protocol_version = "HTTP/1.1"
    tiles: Tiles
    small: dict[str, bytes]
    damaged: dict[str, Stored | None]

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        if query.get("comp") == "list":
            self._answer(200, self._page(query.get("prefix", ""), int(query.get("marker", 0))), {})
            return
        name = self._blob_name()
        data = self.small.get(name)
        if data is None:
            self._answer(404, b"", {"x-ms-error-code": "BlobNotFound"})
            return
        whole = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}", "x-ms-blob-type": "BlockBlob"}
        marks = {f"x-ms-meta-{PUBLISHED}": DATE} if "/commits/" in name else {}
        self._answer(206, data, {**whole, **marks})

    def do_HEAD(self) -> None:
        stored = self.damaged.get(self._blob_name().removeprefix(ROOT))
        if stored is None:
            self._answer(404, b"", {"x-ms-error-code": "BlobNotFound"})
            return
        marks = {f"x-ms-meta-{key}": value for key, value in stored.metadata.items()}
        md5 = {"Content-MD5": base64.b64encode(stored.md5).decode(), "x-ms-blob-type": "BlockBlob"}
        self._answer(200, b"", {**marks, **md5}, length=stored.length)

    def _blob_name(self) -> str:
        return unquote(urlsplit(self.path).path).split("/", 3)[3]

    def _page(self, prefix: str, start: int) -> bytes:
        parts, marker = [], ""
        if prefix == ROOT:
            end = min(start + PAGE_BLOBS, 5 * self.tiles.count)
            found = (self.tiles.blob(place) for place in range(start, end))
            parts = [stored.xml for stored in found if stored is not None]
            marker = str(end) if end < 5 * self.tiles.count else ""
        else:
            names = sorted(name for name in self.small if name.startswith(prefix))
            parts = [Stored(name, 0, b"", {}).xml.replace(ROOT, "", 1) for name in names]
        listed = f"<Prefix>{prefix}</Prefix><Blobs>{''.join(parts)}</Blobs><NextMarker>{marker}</NextMarker>"
        return f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults>{listed}</EnumerationResults>'.encode()

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str], *, length: int | None = None
    ) -> None:
        self.send_response(status)
        usual = {
            "x-ms-request-id": "1",
            "Content-Type": "application/xml",
            "Last-Modified": DATE,
            "ETag": '"0x8DE0123456789AB"',
        }
        for key, value in {**usual, **headers, "Content-Length": str(length or len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def damaged_tiles(count: int, wrong: int) -> Tiles:
    """`count` tiles, of which `wrong`, spread over all of them, are damaged in turns in one of three ways."""
    return Tiles(count, {(n + 1) * count // (wrong + 1): KINDS[n % len(KINDS)] for n in range(wrong)})


def _main(pipe: Connection, count: int, wrong: int) -> None:
    tiles = damaged_tiles(count, wrong)
    _Handler.tiles, _Handler.small = tiles, tiles.small_blobs()
    places = [(number, kind) for number in tiles.wrong for kind in range(4)]
    _Handler.damaged = {
        artifact_name(cell_of(number), kind): tiles.artifact(number, kind) for number, kind in places
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    pipe.send(server.server_port)
    server.serve_forever()


@contextlib.contextmanager
def running(count: int, wrong: int) -> Iterator[str]:
    """The stand-in's blob endpoint."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs, count, wrong), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/account"
    finally:
        ours.close()
        process.terminate()
        process.join()
