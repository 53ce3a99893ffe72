"""The producer as a child process: fleetctl does not import it, and its place names and sender are needed twice.

The child shares our terminal: its progress bar and its sentences are shown as it writes them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO

NOT_INSTALLED = 127
"""The status of a producer that is not here; a shell says the same of a missing command."""
LEAVE_SECONDS = 5.0
"""A terminal's Ctrl-C reaches the child too: it gets so long to write its cursor and say how far it came."""


@dataclass(frozen=True, slots=True)
class Produced:
    """How the producer ended."""

    status: int
    output: str
    """What it printed; empty unless that was asked for."""

    @property
    def is_done(self) -> bool:
        return self.status == 0


def run_producer(words: Sequence[str], *, is_output_wanted: bool = False) -> Produced:
    """Run `producer WORDS...` to its end. KeyboardInterrupt ends it first, in good order."""
    if find_spec("producer") is None:
        return Produced(NOT_INSTALLED, "")
    child = subprocess.Popen(  # noqa: S603  our own program; no shell reads what was typed
        [sys.executable, "-m", "producer", *words],
        stdout=subprocess.PIPE if is_output_wanted else subprocess.DEVNULL,
        text=True,
    )
    try:
        output = _read(child.stdout)
        return Produced(child.wait(), output)
    except BaseException:
        _end(child)
        raise


def fleet_words(fleet: str | None) -> list[str]:
    """The option that makes the child talk to the same fleet; what the environment says it sees itself."""
    return ["--fleet", fleet] if fleet else []


def _read(stream: IO[str] | None) -> str:
    if stream is None:
        return ""
    with stream:
        return stream.read()


def _end(child: subprocess.Popen[str]) -> None:
    for ask in (None, child.terminate, child.kill):
        if ask is not None:
            ask()
        try:
            child.wait(LEAVE_SECONDS)
            return
        except subprocess.TimeoutExpired:
            continue
