"""What can go wrong, grouped by what the caller does next.

    TilefleetError
    ├── BadInput        a person's mistake: one sentence, exit status 2, nothing changed
    ├── StorageError    the queue or blob service
    │   ├── StorageUnavailable   away, overloaded or slow: try again later
    │   ├── NotFound             no such blob or queue
    │   ├── AlreadyExists        create-once was second
    │   ├── Changed              compare-and-swap lost: read again
    │   └── NotAllowed           the credentials do not reach
    │       └── NoToken          there are none yet: nothing was asked
    └── TileError       one attempt at one tile ended early
        ├── TryLater      the source (throttled, expired, down): uncharged, later
        ├── GiveUp        the tile itself (bad data, wrong shape): charged
        ├── LeaseLost     somebody else has it: touch nothing
        ├── WorkerUnfit   this machine (GPU, disk, memory, wrong weights): hand back, stop
        └── Stopped       we were asked to leave: hand back, uncharged

An error's text says what was tried, on what, what came back, and what happens next.
"""

from __future__ import annotations


class TilefleetError(Exception):
    """The root; never raised itself."""


class BadInput(TilefleetError):
    """A person's mistake, in one sentence that names it and what to do."""


class StorageError(TilefleetError):
    """The queue or blob service said no."""


class StorageUnavailable(StorageError):
    """The service is away, overloaded or slow, also after the adapter's own short retries."""


class NotFound(StorageError):
    """There is no blob or queue of that name."""


class AlreadyExists(StorageError):
    """Create-once met something that was there already."""


class Changed(StorageError):
    """The blob is no longer what the given ETag or position says: read it again."""


class NotAllowed(StorageError):
    """The credentials are wrong or their role does not reach this far."""


class NoToken(NotAllowed):
    """Nobody gave out a token, so nothing was asked: nobody is signed in, or a machine's identity is late."""


class TileError(TilefleetError):
    """One attempt at one tile ended before its result was committed."""


class TryLater(TileError):
    """The source throttled, timed out or was down. Delays the tile, charges nobody."""


class GiveUp(TileError):
    """The tile's own data or our code for it. Charged; the second identical one is poison."""


class LeaseLost(TileError):
    """The receipt is gone: somebody else has the message. Touch nothing, drop the work."""


class WorkerUnfit(TileError):
    """This machine cannot do the work. The tile goes back uncharged and the worker takes nothing more."""


class Stopped(TileError):
    """The worker was asked to leave. The tile goes back uncharged."""
