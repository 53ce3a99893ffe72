"""Why a worker ended, as its exit status: systemd and the supervisor act on it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Named, so that logs and units can say what they mean."""

    DONE = 0
    """Nothing left to do, or drained as asked."""
    FAULT = 1
    """A thread of ours died, which is a bug, or there was no answer of the storage or no token at the start: another
    start may help."""
    BAD_INPUT = 2
    """A person's mistake, or a storage that refuses us; said in one sentence."""
    EVICTED = 20
    """Left on an eviction notice."""
    UNFIT = 21
    """This machine must not take tiles: repair or replace it."""
    STUCK = 22
    """A stage made no progress past its limit."""
