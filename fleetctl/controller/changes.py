"""What is worth a line: a decision that was not taken in the tick before, trouble that begins, trouble that ends.

Pure. Ticks repeat themselves four times a minute; nobody reads a log that does so, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleetctl.controller.actions import Action

_NUMBERS = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class News:
    """What changed between two ticks."""

    begun: Mapping[str, str]
    """New things, or known ones with another reason: what, and why."""
    ended: tuple[str, ...]


@dataclass
class ChangeMonitor:
    """Remembers what was said last. A reason that differs in its numbers alone is the same reason."""

    _said: dict[str, str] = field(default_factory=dict)

    def look(self, now: Iterable[tuple[str, str]]) -> News:
        """`now`: everything that holds at this moment, as (what, why)."""
        standing = dict(now)
        begun = {
            what: why
            for what, why in standing.items()
            if what not in self._said or _shape(self._said[what]) != _shape(why)
        }
        ended = tuple(what for what in self._said if what not in standing)
        self._said = standing
        return News(begun, ended)


def decisions(actions: Iterable[Action]) -> Iterable[tuple[str, str]]:
    """Actions as things that hold."""
    return ((f"{action.verb.value} {action.target}", action.reason) for action in actions)


def _shape(reason: str) -> str:
    return _NUMBERS.sub("0", reason)
