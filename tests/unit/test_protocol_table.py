"""The table of promises names tests that exist: a renamed test takes its line along."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_test_that_a_decision_record_names_exists():
    names = {
        name
        for record in (REPOSITORY / "docs" / "decisions").glob("*.md")
        for name in re.findall(r"`(test_\w+)`", record.read_text())
    }
    defined = {
        name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert names, "the records name no tests any more"
    assert names - defined == set()
