"""Where in a TOML text each key stands, so that a mistake can be shown with its line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

_TABLE = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"-]+)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]+\")\s*=")
Lines = Mapping[str, int]
"""Line numbers by path: `name`, `storage.queue_url`, `pools.1.size` (the second pool), `pools.1` (its header)."""


def lines_of_keys(text: str) -> Lines:
    """Of a text that is TOML."""
    lines: dict[str, int] = {}
    prefix, seen = "", Counter[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if table := _TABLE.fullmatch(line):
            name = table.group(2).replace('"', "")
            if table.group(1) == "[[":
                place = seen[name]
                seen[name] += 1
                name = f"{name}.{place}"
            prefix = f"{name}."
            lines.setdefault(name, number)
        elif key := _KEY.match(line):
            lines.setdefault(prefix + key.group(1).strip('"'), number)
    return lines


def place_of(path: Path | str, lines: Lines, key: str) -> str:
    """`fleets/uk.toml, line 12`: of the key, else of the table that it ought to be in, else the file alone."""
    line = lines.get(key) or lines.get(key.rpartition(".")[0])
    return f"{path}, line {line}" if line else str(path)
