"""`verify --deep`: the bytes themselves. Every artifact of a tile is downloaded, hashed, and opened where its name
is known; listings cannot see what was stored wrong under the right MD5, or was wrong when it was made."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit import CommitRecord, read_commit, read_standing
from contract.commit_record import CommittedArtifact
from contract.errors import BadInput, NotFound
from contract.tile_id import TileId
from fleetctl.ahead import read_ahead
from fleetctl.audit.faults import Fault, FaultKind, TileFinding
from fleetctl.audit.tile_files import check_files

PIECE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DeepLook:
    """One tile whose bytes were read."""

    finding: TileFinding
    read_bytes: int


def choose_sample(tiles: Iterable[TileId], count: int, wanted: int | None, seed: int) -> Iterator[TileId]:
    """`wanted` of the `count` tiles by chance, in their order; all of them for None. The seed decides which."""
    if wanted is None or wanted >= count:
        yield from tiles
        return
    chosen = set(random.Random(seed).sample(range(count), wanted))
    yield from (tile for index, tile in enumerate(tiles) if index in chosen)


def look_deep(
    store: BlobStore,
    dataset: str,
    tiles: Iterable[TileId],
    *,
    folder: Path,
    connections: int,
    on_tile: Callable[[int], None],
) -> Iterator[TileFinding]:
    """The tiles that something is wrong with. `folder` holds a few tiles' files at a time; `on_tile` is told the
    bytes of each tile. BadInput when the folder's disk cannot hold them."""
    for _, look in read_ahead(lambda tile: _look_at(store, dataset, tile, folder), tiles, connections):
        on_tile(look.read_bytes)
        if look.finding.faults:
            yield look.finding


def _look_at(store: BlobStore, dataset: str, tile: TileId, folder: Path) -> DeepLook:
    generation = read_standing(store, dataset, tile).newest_committed
    try:
        committed = read_commit(store, dataset, tile, generation) if generation else None
    except BadInput as error:
        fault = Fault(FaultKind.UNREADABLE_COMMIT, "", str(error))
        return DeepLook(TileFinding(tile, generation, (fault,)), 0)
    if committed is None:
        return DeepLook(TileFinding(tile, 0, ()), 0)
    own = Path(mkdtemp(dir=folder))
    try:
        faults = _read_all(store, committed.record, own)
    except OSError as error:
        raise BadInput(
            f"{own} cannot be written: {error.strerror}; set TMPDIR to a disk with room"
        ) from error
    finally:
        shutil.rmtree(own, ignore_errors=True)
    length = sum(artifact.length for artifact in committed.record.artifacts)
    return DeepLook(TileFinding(tile, generation, tuple(faults)), length)


def _read_all(store: BlobStore, record: CommitRecord, folder: Path) -> list[Fault]:
    faults: list[Fault] = []
    files: dict[str, Path] = {}
    for number, artifact in enumerate(record.artifacts):
        path = folder / str(number)
        fault = _fetch(store, artifact_names.published(record.dataset, artifact.name), artifact, path)
        if fault is not None:
            faults.append(fault)
        else:
            files[artifact.name] = path
    return faults or check_files(files)


def _fetch(store: BlobStore, blob: str, artifact: CommittedArtifact, path: Path) -> Fault | None:
    """Read piece by piece: a download as a whole would refuse the very bytes that we look for."""
    sha256, length = hashlib.sha256(), 0
    try:
        with path.open("wb") as file:
            while length < artifact.length:
                piece = store.read_from(blob, length, max_bytes=min(PIECE_BYTES, artifact.length - length))
                if not piece:
                    break
                sha256.update(piece)
                length += file.write(piece)
    except NotFound:
        return Fault(FaultKind.MISSING, artifact.name, f"{artifact.length} bytes are gone")
    if sha256.hexdigest() != artifact.sha256:
        detail = f"SHA-256 {sha256.hexdigest()} of {length} bytes, its commit says {artifact.sha256}"
        return Fault(FaultKind.WRONG_BYTES, artifact.name, detail)
    return None
