"""Azure's own examples, where this checkout has them beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "azure" / "examples"


def example(name):
    """One of them; skips the test where there are none."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"Azure's examples are not here: {FOLDER}")
    return json.loads(path.read_text())
