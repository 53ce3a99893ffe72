"""What each way of ending something leaves behind, as one table for `fleetctl --help`."""

from __future__ import annotations

from collections.abc import Sequence

HEADINGS = ("command", "tiles held", "machine afterwards", "still billed", "reversed by")
ROWS = (
    ("job pause", "the one in inference ends", "works on other jobs", "as before", "job resume"),
    ("job cancel", "the one in inference ends", "works on other jobs", "as before", "-"),
    ("drain VM", "are finished", "deleted", "nothing", "watch makes another"),
    ("stop VM", "are finished", "deallocated, kept", "disk; keeps its quota", "start VM"),
    ("start VM", "-", "runs", "by the hour", "stop VM, drain VM"),
    ("down", "are finished", "all deleted", "storage", "up"),
    ("watch, ended", "go on", "as it was", "all that runs", "watch"),
    ("an eviction", "return in front", "deallocated", "disk; keeps its quota", "watch"),
)


def what_stays() -> str:
    """The table as text, marked for the help formatter as not to be wrapped."""
    widths = [max(len(row[column]) for row in (HEADINGS, *ROWS)) for column in range(len(HEADINGS))]
    return "\b\n" + "\n".join(_line(row, widths) for row in (HEADINGS, *ROWS))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
