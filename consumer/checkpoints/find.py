"""Which checkpoint to go on from: of one tile's, the one with the most blocks whose fingerprint equals ours.

A checkpoint holds the blocks since the one before it, of this attempt or of the one that it went on from; it
counts with all of those or not at all. What is torn, foreign or broken off is named in the log and passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from consumer.checkpoints.blocks import Fingerprint
from consumer.checkpoints.part import NotUsable, Part
from contract import log_lines

log = structlog.get_logger()

MOST_TRIED = 50
"""Checkpoints tried, the longest first; what they go on from is not counted."""
_BELOW_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,64}/(\d{6})")


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint with all that come before it."""

    name: str
    """Of the last part."""
    parts: tuple[tuple[str, Part], ...]
    """Names and headers, in the order of their blocks."""

    @property
    def finished(self) -> int:
        return self.parts[-1][1].finished

    @property
    def fingerprint(self) -> Fingerprint:
        return self.parts[-1][1].fingerprint

    @property
    def inputs(self) -> Any:
        return self.parts[-1][1].inputs


def differences(ours: Fingerprint, theirs: Fingerprint) -> list[str]:
    """The names in which they differ, of those that ours has."""
    return sorted(name for name, value in ours.items() if theirs.get(name) != value)


def longest_first(names: Iterable[str], prefix: str) -> list[str]:
    """Those that can be checkpoints, most blocks first; among equals in the order of names, so that all agree."""
    blocks = {
        name: int(match.group(1))
        for name in names
        if name.startswith(prefix) and (match := _BELOW_PREFIX.fullmatch(name.removeprefix(prefix)))
    }
    return sorted(blocks, key=lambda name: (-blocks[name], name))


class Finder:
    """The checkpoints of one tile's generation, as they were listed once. For one thread at a time."""

    def __init__(self, prefix: str, names: Iterable[str], header: Callable[[str], Part]) -> None:
        """`header`: reads one; NotUsable when it is none."""
        all_names = longest_first(names, prefix)
        self._names = all_names[:MOST_TRIED]
        self._known = frozenset(all_names)
        self._header = header
        self._read: dict[str, Part] = {}
        self._useless: set[str] = set()

    def matching(self, ours: Fingerprint) -> Iterator[Found]:
        """Those that equal ours in all that it names, the one with the most blocks first."""
        for name in self._names:
            if name in self._useless:
                continue
            try:
                yield self._with_all_before(name, ours)
            except NotUsable as error:
                self.ignore(name, str(error))

    def ignore(self, name: str, reason: str) -> None:
        """Pass it over from now on, with a line in the log."""
        self._useless.add(name)
        log.info(log_lines.CHECKPOINT_IGNORED, checkpoint=name, reason=reason)

    def _with_all_before(self, name: str, ours: Fingerprint) -> Found:
        last = self._part(name)
        if differing := differences(ours, last.fingerprint):
            raise NotUsable(f"it is of another {', '.join(differing)}")
        parts = [(name, last)]
        while (part := parts[0][1]).after:
            before = self._part(part.after)
            if (before.finished, before.total) != (part.first, part.total):
                raise NotUsable(f"its block {part.first} does not follow upon {part.after}")
            if before.fingerprint != last.fingerprint:
                raise NotUsable(f"it goes on from {part.after}, which is of another tile")
            parts.insert(0, (part.after, before))
        return Found(name, tuple(parts))

    def _part(self, name: str) -> Part:
        if name not in self._known:
            raise NotUsable(f"it goes on from {name[:200]}, which is not there")
        if name not in self._read:
            part = self._header(name)
            if not name.endswith(f"/{part.finished:06d}"):
                raise NotUsable(f"it has {part.finished} blocks, its name says otherwise")
            self._read[name] = part
        return self._read[name]
