"""`fleetctl watch` as a process of the laptop cloud, and what it wrote down about what it did."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract import ledger_events
from contract.blob_store import BlobStore
from contract.ledger import LedgerReader
from contract.outcomes import Cause
from fleetctl.controller.actions import Verb
from fleetctl.controller.memory_store import MemoryStore
from laptop_cloud import processes
from laptop_cloud.processes import Child

WATCH: Sequence[str] = ("-m", "fleetctl", "watch")
STOP_LIMIT_SECONDS = 20.0
"""A controller that is told to stop ends within a tick; no machine is touched by that."""


@contextlib.contextmanager
def controller(environ: Mapping[str, str], log_path: Path, command: Sequence[str] = WATCH) -> Iterator[Child]:
    """One that runs, or waits to lead; told to stop on the way out, unless it is gone already."""
    child = processes.start(
        [sys.executable, *command], name="fleetctl watch", log_path=log_path, environ=environ
    )
    try:
        yield child
    finally:
        processes.stop(child, limit_seconds=STOP_LIMIT_SECONDS)


@dataclass(frozen=True, slots=True)
class Account:
    """What a fleet with a controller went through, by ledger and record."""

    decided: Mapping[str, int]
    """How often each verb was."""
    evictions: int
    spent_usd: float
    handed_back: int
    """Tiles that evicted machines returned, uncharged."""
    redone_seconds: float
    """Inference whose result nobody uses."""


def account(store: BlobStore) -> Account:
    """Of everything that the fleet's storage knows. What was said in the last seconds may be missing."""
    events, _ = LedgerReader(store).read_new({})
    spend = MemoryStore(store).load().spend
    won = {event["attempt"] for event in events if event["name"] == ledger_events.DONE}
    return Account(
        decided=Counter(str(e["verb"]) for e in events if e["name"] == ledger_events.FLEET_DECISION),
        evictions=sum(spend.evictions.values()),
        spent_usd=spend.paid,
        handed_back=sum(
            event["name"] == ledger_events.RETURNED and event["cause"] == Cause.EVICTED for event in events
        ),
        redone_seconds=sum(
            float(event["seconds"])
            for event in events
            if event["name"] == ledger_events.STAGE_ENDED
            and event["stage"] == "infer"
            and event["attempt"] not in won
        ),
    )


def in_words(told: Account) -> str:
    """Two lines for a person."""
    made, restarted, gone = (told.decided.get(verb, 0) for verb in (Verb.CREATE, Verb.START, Verb.DELETE))
    return (
        f"controller: {made} machines made, {told.evictions} evicted, {restarted} restarted, {gone} let go; "
        f"{told.spent_usd:.4f} USD by the laptop's price list\n"
        f"tiles that were handed back, uncharged: {told.handed_back}; "
        f"finished inference that was done again: {told.redone_seconds:.1f} s"
    )
