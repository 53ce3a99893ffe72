"""A storage's bad days, from a seed: what becomes of each request. Pure but for the count of requests.

The n-th request of a kind meets the same fate whenever the seed is the same, whatever other kinds came between:
a drill with several workers can be repeated, although their requests never arrive in the same order twice.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from contract.errors import BadInput


class Fate(StrEnum):
    """What happens to one request."""

    PASSED = "passed"
    BUSY = "busy"
    """503 ServerBusy, and nothing was done."""
    TIMED_OUT = "timed out"
    """500 OperationTimedOut, and nothing was done."""
    CUT_BEFORE = "cut before"
    """The connection ends; nothing was done."""
    CUT_AFTER = "cut after"
    """It was done, then the connection ends: the answer is lost."""
    STALLED_BEFORE = "stalled before"
    """Accepted, and silence; nothing was done."""
    STALLED_AFTER = "stalled after"
    """It was done, and silence."""


@dataclass(frozen=True, slots=True)
class StorageFaults:
    """How bad the day is. All zero: no faults at all."""

    busy_percent: float = 0.0
    timed_out_percent: float = 0.0
    cut_before_percent: float = 0.0
    cut_after_percent: float = 0.0
    stalled_before_percent: float = 0.0
    stalled_after_percent: float = 0.0
    latency_ms: float = 0.0
    """Every request waits so long before it is passed on."""
    clock_shift_seconds: float = 0.0
    """The storage's clock, as its answers tell it, is ahead by so much."""
    only: str = ""
    """A regular expression for the kinds of requests that are troubled (request_kinds.py); empty: all."""
    skip: int = 0
    """So many requests of each kind pass first."""
    most: int = 0
    """At most so many requests are troubled; 0: any number."""
    seed: int = 0

    @classmethod
    def from_json(cls, content: Any) -> StorageFaults:
        """BadInput names what is unknown or makes no sense."""
        known: dict[str, type] = {name: type(value) for name, value in asdict(cls()).items()}
        if not isinstance(content, dict) or set(content) - set(known):
            raise BadInput(f"faults are an object with any of {', '.join(known)}, not {str(content)[:200]}")
        try:
            faults = cls(**{name: known[name](value) for name, value in content.items()})
            re.compile(faults.only)
        except (TypeError, ValueError, re.error) as error:
            raise BadInput(f"these faults make no sense: {error}") from error
        if sum(share for _, share in faults.shares) > 100 or any(share < 0 for _, share in faults.shares):
            raise BadInput("the shares of all faults together are between 0 and 100 percent")
        return faults

    @property
    def shares(self) -> tuple[tuple[Fate, float], ...]:
        """In the order in which the lot is compared with them."""
        return (
            (Fate.BUSY, self.busy_percent),
            (Fate.TIMED_OUT, self.timed_out_percent),
            (Fate.CUT_BEFORE, self.cut_before_percent),
            (Fate.CUT_AFTER, self.cut_after_percent),
            (Fate.STALLED_BEFORE, self.stalled_before_percent),
            (Fate.STALLED_AFTER, self.stalled_after_percent),
        )

    def hits(self, kind: str) -> bool:
        """Whether requests of this kind are troubled at all."""
        return not self.only or re.search(self.only, kind) is not None


class StorageDay:
    """Deals out fates, and counts them."""

    def __init__(self, faults: StorageFaults) -> None:
        self.faults = faults
        self._seen: Counter[str] = Counter()
        self._troubled = 0

    def fate(self, kind: str) -> Fate:
        """Of the next request of this kind."""
        faults = self.faults
        if not faults.hits(kind):
            return Fate.PASSED
        self._seen[kind] += 1
        number = self._seen[kind]
        if number <= faults.skip or (faults.most and self._troubled >= faults.most):
            return Fate.PASSED
        lot = random.Random(f"{faults.seed} {kind} {number}").random() * 100
        for fate, share in faults.shares:
            if lot < share:
                self._troubled += 1
                return fate
            lot -= share
        return Fate.PASSED


def summed(counts: Mapping[str, Mapping[str, int]], pattern: str = "") -> int:
    """How many requests of the kinds that a regular expression finds, whatever became of them."""
    return sum(sum(fates.values()) for kind, fates in counts.items() if re.search(pattern, kind))
