"""What the threads of a worker's pipeline run, one stage after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from consumer.work import Work


@dataclass(frozen=True, slots=True)
class Steps:
    """Made in parts.py."""

    download: Callable[[Work], None]
    prepare: Callable[[Work], None]
    infer: Callable[[Work], None]
    upload: Callable[[Work], None]
    settle: Callable[[Work], None]

    def fetch(self, work: Work) -> None:
        """Download and preparation, in one thread: the one waits for the network, the other for a core."""
        self.download(work)
        self.prepare(work)
