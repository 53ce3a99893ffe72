"""The fold as one blob: where each stream was read to, what is delayed, what each job has left.

Arrays of eight-byte hashes and a little JSON, in numpy's own compressed container; a reader starts in seconds
whatever the ledger weighs. Codec only.
"""

from __future__ import annotations

import io
import zipfile
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from contract.errors import BadInput
from contract.json_text import parse_object, to_bytes
from contract.ledger import Positions
from fleetctl.history.fold import KEPT_TILES, Fold
from fleetctl.history.job_count import JobCount

VERSION = 1
_HEAD = "head"


@dataclass(frozen=True, slots=True)
class Kept:
    """What one controller leaves to the next."""

    positions: Positions
    fold: Fold
    counts: dict[str, JobCount]


def encode(kept: Kept) -> bytes:
    """The snapshot's bytes."""
    fold = kept.fold
    head = {
        "v": VERSION,
        "positions": kept.positions,
        "delayed_until": fold.delayed_until,
        "outcomes": list(fold.outcomes),
        "stage_seconds": {stage: list(seconds) for stage, seconds in fold.stage_seconds.items()},
        "tile_seconds": list(fold.tile_seconds),
        "sent_bytes": [[*names, length] for names, length in fold.sent_bytes.items()],
        "jobs": {
            id_: [count.asked, count.committed_listed, count.explained_listed]
            for id_, count in kept.counts.items()
        },
    }
    arrays: dict[str, Any] = {_HEAD: np.frombuffer(to_bytes(head), np.uint8)}
    for id_, count in kept.counts.items():
        arrays[f"left {id_}"] = count.left
        arrays[f"done {id_}"] = np.fromiter(count.done_at, np.uint64)
        arrays[f"poisoned {id_}"] = np.fromiter(count.poisoned_at, np.uint64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def decode(data: bytes, now: float) -> Kept:
    """The snapshot in `data`; BadInput when it is none. `now`: of our own clock, for the lines that it counts."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            head = parse_object(arrays[_HEAD].tobytes(), "the ledger's snapshot")
            if head["v"] != VERSION:
                raise BadInput(f"the ledger's snapshot has version {head['v']!r}")
            counts = {id_: _count(arrays, id_, numbers, now) for id_, numbers in head["jobs"].items()}
        fold = Fold(
            delayed_until=dict(head["delayed_until"]),
            outcomes=deque((float(at), str(cause)) for at, cause in head["outcomes"]),
            stage_seconds={
                stage: deque(seconds, maxlen=KEPT_TILES) for stage, seconds in head["stage_seconds"].items()
            },
            tile_seconds=deque(head["tile_seconds"], maxlen=KEPT_TILES),
            sent_bytes={(vms, job): int(length) for vms, job, length in head.get("sent_bytes", ())},
        )
        return Kept(dict(head["positions"]), fold, counts)
    except (KeyError, ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"the ledger's snapshot cannot be read: {str(error)[:120]}") from error


def _count(arrays: Any, id_: str, numbers: list[int], now: float) -> JobCount:
    asked, committed, explained = map(int, numbers)
    return JobCount(
        asked=asked,
        committed_listed=committed,
        explained_listed=explained,
        left=arrays[f"left {id_}"],
        done_at=dict.fromkeys(map(int, arrays[f"done {id_}"]), now),
        poisoned_at=dict.fromkeys(map(int, arrays[f"poisoned {id_}"]), now),
        is_listed=True,
    )
