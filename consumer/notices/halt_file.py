"""A file whose appearance counts as an eviction notice: for tests, for people, for clouds that we do not know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HaltFile:
    """`touch halt.txt`, and the worker leaves as if the cloud had said so."""

    path: Path | None

    def is_there(self) -> bool:
        return self.path is not None and self.path.exists()
