"""When is a worker finished that was told to end with the work: what it asks while it holds nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from contract.blob_store import BlobStore
from contract.completion import CompletionWatch
from contract.errors import NotFound
from contract.job_store import list_jobs

LOOK_SECONDS = 3.0
"""Between two looks: an idle worker asks whenever its queues show nothing."""


def nothing_waits() -> bool:
    """For `consumer once`: asked when a receive brought nothing, which is the answer."""
    return True


def all_explained(store: BlobStore, job: str | None) -> Callable[[], bool]:
    """Whether all asked tiles (of one job, or of all) are committed or explained, looked up now and then."""
    checked_at = float("-inf")
    watches: dict[str, CompletionWatch] = {}

    def is_finished() -> bool:
        nonlocal checked_at
        if time.monotonic() - checked_at < LOOK_SECONDS:
            return False
        checked_at = time.monotonic()
        try:
            ids = [job] if job is not None else [record.id for record in list_jobs(store)]
            for job_id in ids:
                if job_id not in watches:
                    watches[job_id] = CompletionWatch(store, job_id)
            return all(watches[job_id].is_complete() for job_id in ids)
        except NotFound:
            return False  # a job is being written at this moment

    return is_finished
