"""What a job's first tiles say about the rest: their seconds and bytes, taken from the commits."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.job import Job
from fleetctl.campaign.facts import TileFacts, read_facts
from fleetctl.campaign.history import gather_history, read_records
from fleetctl.campaign.summary import INFER, worker_shares
from fleetctl.money.figures import Figure, measured

FEW_TILES = 3
"""Fewer say nothing about the others."""
GB = 1e9


@dataclass(frozen=True, slots=True)
class Canary:
    """What was measured, and what is left to do."""

    tiles_left: int
    """Neither committed nor given up."""
    tile_seconds: Figure
    """Per tile of one worker that is kept fed."""
    tile_gb: Figure
    """Uploaded per tile."""
    vms: frozenset[str]
    """Machines that made them, by their workers' names."""


def read_canary(store: BlobStore, job: Job, connections: int) -> Canary:
    """BadInput when the job has inferred too few tiles to say anything; empty ones take no time worth telling."""
    history = gather_history(store, job)
    facts = [
        read_facts(record.done, record.outcome, commit.written)
        for commit, record in read_records(store, history.commits, connections)
    ]
    own = [fact for fact in facts if fact.job == job.id and INFER in fact.stage_seconds]
    if len(own) < FEW_TILES:
        raise BadInput(
            f"{job.id} has inferred {len(own)} tiles so far, {FEW_TILES} are needed to say something"
        )
    source = f"{len(own)} tiles of {job.id}"
    return Canary(
        tiles_left=len(history.asked) - len(history.commits) - len(history.poison),
        tile_seconds=measured(fed_seconds(own), source),
        tile_gb=measured(statistics.fmean(fact.uploaded_bytes for fact in own) / GB, source),
        vms=frozenset(fact.worker for fact in own),
    )


def fed_seconds(facts: Sequence[TileFacts]) -> float:
    """From the end of one inference to the end of the next, where workers made several; else the inference alone.

    The first says what waiting for downloads adds, the second is all that single tiles can tell.
    """
    inferences = statistics.median(fact.stage_seconds[INFER] for fact in facts)
    spans = [(share.span_seconds, share.tiles - 1) for share in worker_shares(facts) if share.tiles > 1]
    steps = sum(count for _, count in spans)
    return max(inferences, sum(seconds for seconds, _ in spans) / steps) if steps else inferences
