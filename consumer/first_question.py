"""The first question to a fleet's storage: a machine that boots may be earlier than the token of its identity."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from contract.errors import NoToken

TOKEN_SECONDS = 240.0
"""How long a service waits for its first token, within its unit's TimeoutStartSec."""
PAUSE_SECONDS = 10.0


def await_token(
    ask: Callable[[], object], *, limit_seconds: float, pause_seconds: float = PAUSE_SECONDS
) -> None:
    """Ask until a token was to be had; NoToken after the limit (0: ask once). Every other refusal is told at once."""
    retrying = Retrying(
        retry=retry_if_exception_type(NoToken),
        stop=stop_after_delay(limit_seconds),
        wait=wait_fixed(pause_seconds),
        before_sleep=_say,
        reraise=True,
    )
    retrying(ask)


def _say(state: RetryCallState) -> None:
    refusal = state.outcome.exception() if state.outcome else None
    sys.stderr.write(f"consumer: {refusal}; asked again in a few seconds\n")
