"""Is everything that a job asked for committed or explained, and is every artifact what its commit says?

asked = committed + explained is the law of a finished job. It is checked from listings, page by page, in memory
that grows by 21 bytes per asked tile (and with the damage); only tiles that do not add up are looked at closely.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit_marks import Checksum
from contract.errors import NotFound
from contract.job import Job, JobState
from contract.job_store import asked_tiles, read_asked, read_cursor, read_status
from contract.tile_id import TileId
from fleetctl.ahead import read_ahead
from fleetctl.audit.beside import Beside, count_beside
from fleetctl.audit.examine import Examined, examine, left_over
from fleetctl.audit.faults import FaultKind, TileFinding
from fleetctl.audit.fold import Folded, OnBlobs, fold_dataset
from fleetctl.audit.tile_table import WHOLE, Seen, TileTable
from fleetctl.audit.verdict import Sent, Standing, Verdict, count_standings, standing_of

NOTHING = Checksum(0, 0)


@dataclass(frozen=True, slots=True)
class Audit:
    """What `verify` found, and what a repair goes on from."""

    job: Job
    asked: bytes
    table: TileTable
    sent: Sent
    verdict: Verdict
    findings: tuple[TileFinding, ...]
    """Tiles that something is wrong with, in the order of the asked list."""

    def tiles_that_are(self, *standings: Standing) -> Iterator[TileId]:
        """The asked tiles that stand so, in the order of the asked list."""
        for position, tile in enumerate(asked_tiles(self.asked)):
            if standing_of(Seen(self.table.seen[_place(self.table, tile)]), position, self.sent) in standings:
                yield tile


def verify(store: BlobStore, job: Job, *, connections: int, on_blobs: OnBlobs = lambda *_: None) -> Audit:
    """Check a job as it is now. Reads only; storage errors pass through."""
    asked = read_asked(store, job)
    sent = _how_far_sent(store, job)
    table = TileTable(asked_tiles(asked), job.asked_count)
    folded = fold_dataset(store, job.dataset, table, on_blobs)
    _note_poison(store, job.dataset, table)
    findings = tuple(_findings(store, job.dataset, asked, table, connections))
    counts = count_standings(table, asked, sent)
    return Audit(
        job=job,
        asked=asked,
        table=table,
        sent=sent,
        verdict=_verdict(job, counts, findings, folded, count_beside(store, job.dataset, table)),
        findings=findings,
    )


def with_deep_findings(audit: Audit, found: Iterable[TileFinding]) -> Audit:
    """The audit with what reading the bytes of tiles brought that looked whole before."""
    known = {finding.tile for finding in audit.findings}
    more = tuple(finding for finding in found if finding.tile not in known)
    findings, verdict = (*audit.findings, *more), audit.verdict
    verdict = replace(
        verdict,
        committed=verdict.committed - len(more),
        wrong=verdict.wrong + len(more),
        faults=_count_faults(findings),
    )
    return replace(audit, findings=findings, verdict=verdict)


def _how_far_sent(store: BlobStore, job: Job) -> Sent:
    try:
        state = read_status(store, job.id).status.state
    except NotFound:  # its producer was killed before the first message
        state = JobState.CANARY if job.canary_count else JobState.RUNNING
    return Sent(read_cursor(store, job.id).position, job.canary_count, state)


def _note_poison(store: BlobStore, dataset: str, table: TileTable) -> None:
    prefix = f"{artifact_names.POISON_PREFIX}{dataset}/"
    for name in store.names(prefix):
        if (place := table.place_of_name(name.removeprefix(prefix))) is not None:
            table.seen[place] |= Seen.POISONED


def _findings(
    store: BlobStore, dataset: str, asked: bytes, table: TileTable, connections: int
) -> Iterator[TileFinding]:
    """Look closely at what does not add up, then for what no record names where that is not all."""
    suspects = (tile for tile in asked_tiles(asked) if _is_suspect(table, _place(table, tile)))
    wrong: dict[TileId, TileFinding] = {}
    unexplained: list[TileId] = []
    for tile, examined in read_ahead(lambda tile: examine(store, dataset, tile), suspects, connections):
        place = _place(table, tile)
        if not _explains(examined, Seen(table.seen[place]), table.balance(place)):
            unexplained.append(tile)
        _note(table, place, examined.finding)
        wrong[tile] = examined.finding
    for tile, fault in left_over(store, dataset, unexplained) if unexplained else ():
        wrong[tile] = replace(wrong[tile], faults=(*wrong[tile].faults, fault))
    yield from (finding for finding in wrong.values() if finding.faults)


def _is_suspect(table: TileTable, place: int) -> bool:
    """A tile that is revoked keeps its old artifacts for its readers, and a tile without any is just not done."""
    seen = Seen(table.seen[place])
    if not seen & Seen.COMMITTED:
        return not seen & Seen.REVOKED and table.balance(place) != NOTHING
    return seen & WHOLE != WHOLE or table.balance(place) != NOTHING


def _explains(examined: Examined, seen: Seen, balance: Checksum) -> bool:
    """Whether the faults are all that the listing showed. What has changed since it began says nothing."""
    if examined.finding.is_committed != bool(seen & Seen.COMMITTED):
        return True
    has_marks = Seen.MARKED in seen or not examined.finding.is_committed
    return not has_marks or examined.explained == balance


def _note(table: TileTable, place: int, finding: TileFinding) -> None:
    """What was seen closely is newer than what was listed."""
    table.seen[place] &= ~(Seen.COMMITTED | Seen.PUBLISHED | Seen.REVOKED)
    if finding.is_committed:
        table.seen[place] |= Seen.COMMITTED
    if finding.is_revoked:
        table.seen[place] |= Seen.REVOKED


def _place(table: TileTable, tile: TileId) -> int:
    place = table.place(tile)
    if place is None:
        raise AssertionError(f"{tile} is asked for and not in the table")
    return place


def _verdict(
    job: Job,
    counts: dict[Standing, int],
    findings: tuple[TileFinding, ...],
    folded: Folded,
    beside: Beside,
) -> Verdict:
    wrong = sum(finding.is_committed for finding in findings)
    return Verdict(
        job=job.id,
        dataset=job.dataset,
        asked=job.asked_count,
        committed=counts[Standing.COMMITTED] - wrong,
        wrong=wrong,
        standings={standing: counts[standing] for standing in Standing if standing is not Standing.COMMITTED},
        faults=_count_faults(findings),
        blobs=folded.blobs,
        unmarked=folded.unmarked,
        beside=beside,
    )


def _count_faults(findings: Iterable[TileFinding]) -> dict[FaultKind, int]:
    return dict(Counter(fault.kind for finding in findings for fault in finding.faults))
