"""Log lines: their field names, and their setup. JSON lines where nobody watches, pretty on a terminal.

One line per settled tile and one per fleet decision say what happened; the ledger says it for machines.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import structlog

TILE_SETTLED = "tile settled"
TILE_RETURNED = "tile returned"
TILE_POISONED = "tile poisoned"
LEASE_LOST = "lease lost"
FOREIGN_MESSAGE = "foreign message"
CANCELLED_DELETED = "messages of cancelled jobs deleted"
WORKER_STARTED = "worker started"
WORKER_LEAVING = "worker leaving"
WORKER_UNFIT = "worker unfit"
WORKER_STUCK = "worker stuck"
WORKER_ENDED = "worker ended"
NOTICE_RECEIVED = "notice received"
NOTICE_IGNORED = "notice ignored"
NOTICES_SILENT = "notices silent"
NOTICES_HEARD = "notices heard again"
NOTICE_POLLER_RESTARTED = "notice poller started again"
SUSPICION = "suspicion"
DEAD_MAN = "idle without a controller, letting this machine go"
DEAD_MAN_REFUSED = "this machine was not let go"
INTAKE_PAUSED = "intake paused"
INTAKE_RESUMED = "intake resumed"
SECOND_ATTEMPT = "second attempt"
STORAGE_TROUBLE = "storage trouble"
IN_FLIGHT_CHANGED = "tiles in flight changed"
CUBE_KEPT = "cube kept"
CUBE_NOT_KEPT = "cube not kept"
CUBE_IGNORED = "kept cube ignored"
CHECKPOINT_SAVED = "checkpoint saved"
CHECKPOINT_NOT_SAVED = "checkpoint not saved"
CHECKPOINT_RESUMED = "checkpoint resumed"
CHECKPOINT_IGNORED = "checkpoint ignored"

_SECRET_WORDS = ("key", "token", "sig", "secret", "password", "credential", "authorization")


def set_up_logging(
    *, stream: TextIO | None = None, bound: dict[str, Any] | None = None, also: Sequence[Any] = ()
) -> None:
    """Log to `stream` (stderr); `bound` goes with every line. `also`: processors that see each line, without
    its secrets, before it is written."""
    out = stream or sys.stderr
    # Azure's own loggers print request headers at INFO: never wanted, and not without signatures.
    logging.getLogger("azure").setLevel(logging.WARNING)
    renderer: Any = (
        structlog.dev.ConsoleRenderer(pad_event_to=24)
        if out.isatty()
        else structlog.processors.JSONRenderer()
    )

    def add_bound(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        # Not by structlog's context variables: a thread starts with none of them.
        return {**(bound or {}), **event}

    processors: Sequence[Any] = [
        add_bound,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
        *also,
        structlog.processors.format_exc_info,
        renderer,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )


def hide_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace values whose field names say that they are secret, and signatures inside addresses."""
    for name, value in event.items():
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "(hidden)"
        elif isinstance(value, str) and "sig=" in value:
            event[name] = value.split("?", 1)[0] + "?(hidden)"
    return event
