"""Why the producer ended, as its exit status."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Named, so that scripts and make targets can say what they mean."""

    DONE = 0
    """All that was asked is enqueued, or was already."""
    BAD_INPUT = 2
    """A person's mistake, or storage that is not there for us: one sentence, nothing enqueued."""
    ENDED_EARLY = 3
    """The storage went away, or another producer took over, with some tiles sent: type it again."""
    INTERRUPTED = 130
    """Ctrl-C: type it again to go on."""
