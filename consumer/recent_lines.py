"""The last lines of this process's log, kept for the one reader who needs them later: whoever looks at poison."""

from __future__ import annotations

from collections import deque
from typing import Any

from contract.json_text import to_text

KEPT_LINES = 400
LINES_OF_A_TILE = 20
MAX_LINE_CHARACTERS = 500


class RecentLines:
    """A structlog processor, to stand behind the one that hides secrets. Any thread may log and ask."""

    def __init__(self) -> None:
        self._lines: deque[tuple[str, str]] = deque(maxlen=KEPT_LINES)

    def __call__(self, _logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        text = to_text({name: str(value) for name, value in event.items() if name != "exc_info"})
        self._lines.append((str(event.get("tile", "")), text[:MAX_LINE_CHARACTERS]))
        return event

    def of_tile(self, tile: str) -> list[str]:
        """The newest lines that name this tile, or none: a driver's complaint names no tile. Oldest first."""
        # A copy in one step: other threads go on logging.
        lines = [text for of, text in list(self._lines) if of in ("", tile)]
        return lines[-LINES_OF_A_TILE:]
