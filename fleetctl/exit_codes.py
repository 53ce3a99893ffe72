"""How fleetctl ends, as its exit status."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Named, so that scripts can say what they mean."""

    DONE = 0
    INCOMPLETE = 1
    """It worked, but the answer is not whole: tiles were not published yet."""
    BAD_INPUT = 2
    """A person's mistake, or no storage to talk to; said in one sentence."""
    NOT_LEADING = 3
    """`watch` lost its lease, or another controller wrote the record: it touched nothing since. Start it again."""
    INTERRUPTED = 130
    """Ctrl-C."""
