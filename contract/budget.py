"""What a job may cost: a small blob beside the job, written by people, read by the controller at every tick.

The job's own record is never changed, and its budget may be: so it has a blob of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput, NotFound
from contract.json_text import parse_object, to_bytes

VERSION = 1
NO_BUDGET = "none"
"""What a person types to say that there is no limit."""
MOST_USD = 1e9


@dataclass(frozen=True, slots=True)
class JobBudget:
    """What somebody decided, and when."""

    usd: float | None
    """None: `none` was typed, so only the fleet's budget holds."""
    changed: str
    """UTC, ISO 8601, by the store's clock."""


def parse_usd(text: str) -> float | None:
    """An amount as it was typed; None for `none`. BadInput for anything else, also for nothing and less."""
    if text.strip().lower() == NO_BUDGET:
        return None
    try:
        usd = float(text.strip().removeprefix("$"))
    except ValueError:
        usd = math.nan
    if not 0 < usd <= MOST_USD:
        raise BadInput(f"{text[:40]!r} is no budget: write an amount of USD such as 250, or {NO_BUDGET!r}")
    return usd


def read_budget(store: BlobStore, job: str) -> JobBudget | None:
    """The job's budget; None where nobody ever set one. BadInput when the record is not one."""
    try:
        record = parse_object(store.read(artifact_names.job_budget(job)).data, "the job's budget")
    except NotFound:
        return None
    usd = record.get("usd")
    is_amount = isinstance(usd, int | float) and not isinstance(usd, bool) and 0 < usd <= MOST_USD
    if record.get("v") != VERSION or not (usd is None or is_amount):
        raise BadInput(f"the budget of {job} is none that this program can have written: set it again")
    return JobBudget(None if usd is None else float(usd), str(record.get("changed", "")))


def write_budget(store: BlobStore, job: str, usd: float | None) -> JobBudget:
    """Set or change it; the last one who writes decides, and the next tick obeys."""
    budget = JobBudget(usd, store.now().astimezone(UTC).isoformat(timespec="seconds"))
    record = {"v": VERSION, "usd": budget.usd, "changed": budget.changed}
    store.put(artifact_names.job_budget(job), to_bytes(record))
    return budget
