"""Read ahead: run a slow call over many items in a few threads, and get the answers in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def read_ahead(
    function: Callable[[Item], Answer], items: Iterable[Item], threads: int
) -> Iterator[tuple[Item, Answer]]:
    """(item, function(item)) in the order of the items.

    At most 2 x `threads` answers are under way or waiting, so that memory does not grow with the
    items (`Executor.map` would take them all at once). The first exception ends it.
    """
    pending: deque[tuple[Item, Future[Answer]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="read-ahead") as pool:
        try:
            for item in items:
                pending.append((item, pool.submit(function, item)))
                if len(pending) >= 2 * threads:
                    yield _next(pending)
            while pending:
                yield _next(pending)
        finally:
            for _, future in pending:
                future.cancel()


def _next(pending: deque[tuple[Item, Future[Answer]]]) -> tuple[Item, Answer]:
    item, future = pending.popleft()
    return item, future.result()
