"""Why an attempt ended: the words that messages, ledger and reports share."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Who is to blame for an attempt that did not commit. Only `tile` and `worker` are charged."""

    EVICTED = "evicted"
    """The cloud took the machine. Nobody is charged."""
    HANDED_BACK = "handed_back"
    """Drained, stopped, or never started. Nobody is charged."""
    SILENT_DEATH = "silent_death"
    """The worker vanished without a word."""
    SOURCE = "source"
    """Throttled, 5xx, expired, catalogue down: a delay, no charge."""
    TILE = "tile"
    """Bad data, wrong shape, our own fault in the code: charged to the tile."""
    WORKER = "worker"
    """GPU, driver, disk, memory: charged to the worker, noted in the tile."""


class Outcome(StrEnum):
    """What a tile came to."""

    DONE = "done"
    """Committed with a result."""
    EMPTY = "empty"
    """Committed: the searches succeeded and there is no usable imagery."""
    POISON = "poison"
    CANCELLED = "cancelled"
