"""How long a finished inference may wait for the storage: minutes, not the adapters' seconds.

An hour of GPU time stands behind an upload or a commit; a storage that restarts must not cost it. The
steps that wait here are idempotent. Everything else relies on the adapters' short retries and on
redelivery by the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from consumer.work import Work
from contract.errors import StorageUnavailable

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """Retries what met a storage that is away, until it answers, the time is over, or the work is stopped."""

    limit_seconds: float = 300.0
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 10.0

    def call(self, step: Callable[[], Answer], work: Work) -> Answer:
        """The step's answer; the last error once patience is over."""
        retrying = Retrying(
            retry=retry_if_exception_type(StorageUnavailable),
            stop=stop_after_delay(self.limit_seconds) | stop_when_event_set(work.stop),
            wait=wait_exponential_jitter(self.first_pause_seconds, self.longest_pause_seconds),
            sleep=sleep_using_event(work.stop),
            reraise=True,
        )
        return retrying(step)
