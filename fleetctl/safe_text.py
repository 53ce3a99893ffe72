"""Text from outside on a terminal: what could move the cursor, change colours or turn the line round is spelled out."""

from __future__ import annotations

SHOWN_CHARACTERS = 4000


def safe_text(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """The text with every character that does not print as an escape, cut after `limit` characters."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


def safe_bytes(data: bytes, limit: int = SHOWN_CHARACTERS) -> str:
    """Bytes that may be anything, as text that may be shown."""
    return safe_text(data.decode("utf-8", "backslashreplace"), limit)
