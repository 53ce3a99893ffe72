"""One process at a time: the second to install or to draw scenes waits, and then finds the work done; the second
laptop cloud of a folder is refused."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(lock: Path, *, is_patient: bool = True) -> Iterator[None]:
    """Hold the lock file `lock` (made when missing, kept afterwards); the kernel frees it when we die.

    Who is not patient gets BlockingIOError when somebody else holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX if is_patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
