"""The names of what happens: few, stable, and the same in every ledger line."""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]
"""One ledger line: `id`, `time` (UTC, ISO 8601), `name`, and whatever the name brings with it."""

WORKER_STARTED = "worker_started"
WORKER_LEFT = "worker_left"
WORKER_UNFIT = "worker_unfit"
EVICTION_NOTICE = "eviction_notice"

TILE_RECEIVED = "tile_received"
STAGE_ENDED = "stage_ended"
"""One stage of one attempt, with its seconds and bytes."""
DONE = "done"
"""A tile is committed and published; the commit says the same."""
RETURNED = "returned"
"""An attempt ended without a result, with its cause; `not_before` when the tile waits."""
POISONED = "poisoned"
CANCELLED = "cancelled"
SECOND_ATTEMPT = "second_attempt"
"""An idle worker tries a tile beside the holder of its message, and why."""
SECOND_ATTEMPT_ENDED = "second_attempt_ended"
"""Without a result; nobody is charged, and the tile is its holder's as before."""
CHECKPOINT_SAVED = "checkpoint_saved"

FLEET_DECISION = "fleet_decision"
PRICE = "price"

LINES_LOST = "lines_lost"
"""`count` older lines were dropped because the storage was away for too long."""
LINE_CUT = "line_cut"
"""In the place of a line that was longer than a line may be; `was` is its name."""
