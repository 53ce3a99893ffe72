"""`fleetctl use`: the fleet that commands in this folder mean when none is named, in a file beside `fleets/`."""

from __future__ import annotations

from pathlib import Path

from contract.fleet import CHOICE_FILE


def remember_choice(folder: Path, name: str) -> Path:
    """Write it; the file that was written."""
    path = folder / CHOICE_FILE
    partial = path.with_name(f"{CHOICE_FILE}.partial")
    partial.write_text(f"{name}\n", encoding="utf-8")
    partial.replace(path)
    return path


def forget_choice(folder: Path) -> bool:
    """False when there was none."""
    path = folder / CHOICE_FILE
    existed = path.is_file()
    path.unlink(missing_ok=True)
    return existed
