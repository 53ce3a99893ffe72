"""The list of `--tiles`: one name per line, blank lines and `#` comments passed over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from contract.errors import BadInput
from contract.json_text import short_digest
from contract.tile_id import parse_tile

MAX_BYTES = 64 * 1024 * 1024


def read_tile_names(source: Path | TextIO) -> tuple[str, ...]:
    """The names in a file or stream, each once. BadInput names the line that is no tile."""
    where = str(source) if isinstance(source, Path) else "standard input"
    try:
        if isinstance(source, Path) and source.stat().st_size > MAX_BYTES:
            raise BadInput(f"--tiles {where} is larger than {MAX_BYTES} bytes: it is no list of tiles")
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source.read(MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--tiles {where} cannot be read: {error}") from error
    names: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name = line.partition("#")[0].strip()
        if not name:
            continue
        try:
            names[parse_tile(name).name] = None
        except BadInput as error:
            raise BadInput(f"--tiles {where}, line {number}: {error}") from error
    if not names:
        raise BadInput(f"--tiles {where} names no tile")
    return tuple(names)


def words_of(names: Sequence[str]) -> str:
    """A short text that is the same for the same tiles, in whatever order they were typed."""
    return f"tiles {short_digest(sorted(names))}"
