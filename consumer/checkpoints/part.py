"""One checkpoint blob: the blocks that were finished since the one before it, behind a header checked alone.

tilefleet checkpoint 1 <SHA-256 of the header> <length of the header>
{"after": ..., "blocks": [from, to, total], "fingerprint": {...}, "inputs": ..., "lengths": [...], "sha256": ...}
the blocks' buffers, one behind the other

Each says which blob holds the blocks before its own, so that nothing is uploaded twice; see find.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from consumer.checkpoints.blocks import Block, Fingerprint
from contract.errors import BadInput
from contract.json_text import parse_object, to_bytes

MOST_HEADER_BYTES = 512 * 1024
"""1,500 scenes by name come to a fifth of it."""
MOST_PART_BYTES = 2**30
"""The largest tile's embedding has 0.2 GB."""
MOST_BLOCKS = 100_000
_FIRST_LINE = re.compile(rb"tilefleet checkpoint 1 ([0-9a-f]{64}) ([0-9]{1,7})\n")
LONGEST_FIRST_LINE = 128


class NotUsable(Exception):
    """There is a checkpoint, and it is torn, foreign or not as promised: the reason."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the header of one checkpoint says."""

    first: int
    """Number of its first block."""
    finished: int
    """How many blocks of the tile are finished with it: one more than the number of its last."""
    total: int
    after: str
    """The checkpoint with the blocks before `first`; empty where that is 0."""
    fingerprint: Fingerprint
    inputs: Any
    """The recipe's Plan.inputs: JSON."""
    lengths: tuple[tuple[int, ...], ...]
    """Bytes of each buffer of each block."""
    sha256: str
    """Of the buffers."""
    offset: int = 0
    """Where the buffers begin in the blob."""

    @property
    def length(self) -> int:
        """Bytes of the blob."""
        return self.offset + sum(sum(block) for block in self.lengths)


def write_part(
    file: BinaryIO,
    blocks: Sequence[Block],
    *,
    first: int,
    total: int,
    after: str,
    fingerprint: Fingerprint,
    inputs: Any,
) -> int:
    """Write a checkpoint; returns its bytes. ValueError when there is more to say than a header may hold."""
    sha256 = hashlib.sha256()
    for buffer in _buffers(blocks):
        sha256.update(buffer)
    header = to_bytes(
        {
            "after": after,
            "blocks": [first, first + len(blocks), total],
            "fingerprint": dict(fingerprint),
            "inputs": inputs,
            "lengths": [[len(buffer) for buffer in block] for block in blocks],
            "sha256": sha256.hexdigest(),
        }
    )
    if len(header) + LONGEST_FIRST_LINE > MOST_HEADER_BYTES:
        raise ValueError(f"a checkpoint's header of {len(header)} bytes is longer than {MOST_HEADER_BYTES}")
    digest = hashlib.sha256(header).hexdigest()
    written = file.write(f"tilefleet checkpoint 1 {digest} {len(header)}\n".encode("ascii"))
    written += file.write(header)
    return written + sum(file.write(buffer) for buffer in _buffers(blocks))


def read_header(data: bytes) -> Part:
    """From the blob's first MOST_HEADER_BYTES, or all that it has; NotUsable says what is wrong with it."""
    line = _FIRST_LINE.match(data[:LONGEST_FIRST_LINE])
    if line is None:
        raise NotUsable("it does not begin like a checkpoint of this version")
    end = line.end() + int(line.group(2))
    header = data[line.end() : end]
    if hashlib.sha256(header).hexdigest().encode() != line.group(1):
        raise NotUsable(f"its header is torn: {len(header)} of {line.group(2).decode()} bytes, or others")
    try:
        return _part(parse_object(header, "its header"), offset=end)
    except (BadInput, KeyError, TypeError, ValueError) as error:
        raise NotUsable(f"its header is not as promised: {error}") from error


def read_blocks(part: Part, data: bytes) -> list[Block]:
    """The blocks of a whole blob, as views of it; NotUsable when it is short or not what was written."""
    if len(data) != part.length:
        raise NotUsable(f"it has {len(data)} bytes, its header says {part.length}")
    view = memoryview(data)[part.offset :]
    if hashlib.sha256(view).hexdigest() != part.sha256:
        raise NotUsable("its blocks are not those of its header")
    blocks, start = [], 0
    for lengths in part.lengths:
        buffers = []
        for length in lengths:
            buffers.append(view[start : start + length])
            start += length
        blocks.append(tuple(buffers))
    return list(blocks)


def _part(record: dict[str, Any], *, offset: int) -> Part:
    first, finished, total = (_count(number) for number in record["blocks"])
    lengths = tuple(tuple(_count(length) for length in block) for block in record["lengths"])
    after, fingerprint = record["after"], record["fingerprint"]
    if not first < finished <= total <= MOST_BLOCKS or len(lengths) != finished - first:
        raise ValueError(f"blocks {first} to {finished} of {total} with {len(lengths)} lengths")
    if not isinstance(after, str) or bool(after) is (first == 0):
        raise ValueError(f"block {first} follows upon {after!r}")
    part = Part(
        first=first,
        finished=finished,
        total=total,
        after=after,
        fingerprint={str(name): str(value) for name, value in fingerprint.items()},
        inputs=record["inputs"],
        lengths=lengths,
        sha256=str(record["sha256"]),
        offset=offset,
    )
    if part.length > MOST_PART_BYTES:
        raise ValueError(f"{part.length} bytes are more than {MOST_PART_BYTES}")
    return part


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_PART_BYTES:
        raise ValueError(f"{value!r} is no count")
    return value


def _buffers(blocks: Sequence[Block]) -> Iterator[bytes | memoryview]:
    return (buffer for block in blocks for buffer in block)
