"""From a job's commits to its summary: reads every record once."""

from __future__ import annotations

from collections.abc import Callable

from contract.blob_store import BlobStore
from contract.errors import BadInput
from fleetctl.campaign.facts import TileFacts, read_facts
from fleetctl.campaign.history import JobHistory, read_records
from fleetctl.campaign.summary import Summary, summarise


def tally(
    store: BlobStore,
    history: JobHistory,
    connections: int,
    on_tile: Callable[[], None] = lambda: None,
) -> Summary:
    """The summary of a job; `on_tile` is called after each commit. BadInput names a commit that is no account."""
    facts: list[TileFacts] = []
    for commit, record in read_records(store, history.commits, connections):
        try:
            facts.append(read_facts(record.done, record.outcome, commit.written))
        except BadInput as error:
            raise BadInput(f"{commit.blob_name}: {error}") from error
        on_tile()
    return summarise(facts, job=history.job.id, asked=len(history.asked), poison=len(history.poison))
