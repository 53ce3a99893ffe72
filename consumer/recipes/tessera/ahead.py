"""Prepares the next block while the device works on this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Block = TypeVar("Block")
Prepared = TypeVar("Prepared")


def prepared_ahead(
    blocks: Sequence[Block], prepare: Callable[[Block], Prepared]
) -> Iterator[tuple[Block, Prepared]]:
    """Each block with what `prepare` made of it, in order; the next is being prepared meanwhile."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="next-block") as thread:
        upcoming = [thread.submit(prepare, block) for block in blocks[:1]]
        for number, block in enumerate(blocks):
            prepared = upcoming.pop().result()
            upcoming = [thread.submit(prepare, following) for following in blocks[number + 1 : number + 2]]
            yield block, prepared
