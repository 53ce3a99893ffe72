"""Which entries a person means by a job or a cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.job_store import asked_tiles, read_asked
from contract.outcomes import Cause
from contract.poison_entry import FOREIGN
from fleetctl.campaign.job_list import choose_job
from fleetctl.poison.entries import EntryState, FoundEntry


def of_job(store: BlobStore, wanted: str, names: Iterable[str]) -> list[str]:
    """The entries of tiles that the job asks, whichever job's message was given up."""
    job = choose_job(store, wanted)
    prefix = f"{artifact_names.POISON_PREFIX}{job.dataset}/"
    of_dataset = [name for name in names if name.startswith(prefix)]
    asked = {artifact_names.poison(job.dataset, tile) for tile in asked_tiles(read_asked(store, job))}
    return [name for name in of_dataset if name in asked]


def replayable(found: Sequence[FoundEntry], *, are_named: bool) -> list[FoundEntry]:
    """Those to ask again: all that were named, else those about which nobody decided. BadInput for a named one
    that asks for no tile of ours."""
    if not are_named:
        return [one for one in found if one.state in {EntryState.OPEN, EntryState.RESOLVED} and one.standing]
    for one in found:
        if one.standing is None:
            raise BadInput(f"{one.short_name} is no message of ours: it can be dropped, not replayed")
    return list(found)


def check_cause(cause: str) -> None:
    """BadInput unless entries can have that cause."""
    known = [*(one.value for one in Cause), FOREIGN]
    if cause not in known:
        close = get_close_matches(cause, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known ones: {', '.join(known)}"
        raise BadInput(f"--cause {cause[:40]!r}: {hint}")
