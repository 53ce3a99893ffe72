"""Jobs that a real worker did on simulated storage, and every kind of damage that may be done to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from contract import artifact_names
from contract.commit import CommitRecord, read_commit, revoke
from contract.commit_marks import PUBLISHED, marks_of_artifact, marks_of_commit
from contract.job import Job
from contract.job_store import Cursor, write_cursor
from contract.tile_id import GridCell
from fleetctl.audit.faults import FaultKind
from fleetctl.audit.verify import Audit, verify
from tests.unit.consumer.worker_rig import StepWorker, World

CELLS = tuple(GridCell(row, column) for row in (540, 541, 542) for column in (-49, -48, -47, -46))


class Audited:
    """One world with one job, done by a worker of its own."""

    def __init__(self, folder: Path, cells=CELLS, *, is_done: bool = True) -> None:
        self.world = World(folder)
        self.job: Job = self.world.ask(*cells)
        write_cursor(self.store, self.job.id, Cursor(len(cells)))
        if is_done:
            self.work()

    @property
    def store(self):
        return self.world.store

    def work(self) -> None:
        """Let a fresh worker do what is queued."""
        self.worker = StepWorker(self.world, "w")
        self.worker.work_until_empty()

    def verify(self) -> Audit:
        return verify(self.store, self.job, connections=2)

    def record(self, cell: GridCell, generation: int = 1) -> CommitRecord:
        return read_commit(self.store, self.job.dataset, cell, generation).record

    def published(self, cell: GridCell, number: int = 0) -> str:
        """The blob of one of the tile's two artifacts."""
        return artifact_names.published(self.job.dataset, self.record(cell).artifacts[number].name)


def faults_of(audit: Audit) -> dict[str, list[FaultKind]]:
    """What verify names, by tile."""
    return {finding.tile.name: sorted(fault.kind for fault in finding.faults) for finding in audit.findings}


def lose_artifact(rig: Audited, cell: GridCell) -> None:
    rig.store.delete(rig.published(cell))


def cut_artifact(rig: Audited, cell: GridCell) -> None:
    name = rig.published(cell)
    blob = rig.store.read(name)
    rig.store.put(name, blob.data[:-1], metadata=blob.info.metadata)


def flip_artifact(rig: Audited, cell: GridCell) -> None:
    name = rig.published(cell, 1)
    blob = rig.store.read(name)
    rig.store.put(name, blob.data[:-1] + bytes([blob.data[-1] ^ 1]), metadata=blob.info.metadata)


def replace_by_hand(rig: Audited, cell: GridCell) -> None:
    """As somebody's own upload does it: other bytes, no metadata."""
    rig.store.put(rig.published(cell), b"mine")


def leave_over(rig: Audited, cell: GridCell) -> None:
    name = artifact_names.published(rig.job.dataset, f"toy/2024/{cell.name}/old.bin")
    rig.store.put(name, b"old", metadata=marks_of_artifact(cell, 1))


def unpublish(rig: Audited, cell: GridCell) -> None:
    """As a worker leaves it that dies between the commit and the second copy: staging is there."""
    record = rig.record(cell)
    for artifact in record.artifacts:
        rig.store.copy(artifact_names.published(record.dataset, artifact.name), artifact.staging)
    lose_artifact(rig, cell)
    _set_marks(rig, record, marks_of_commit(record))


def unpublish_without_staging(rig: Audited, cell: GridCell) -> None:
    lose_artifact(rig, cell)
    record = rig.record(cell)
    _set_marks(rig, record, marks_of_commit(record))


def garble_commit(rig: Audited, cell: GridCell) -> None:
    """Other bytes under the same marks, that lack an artifact's mark: a listing alone would not see it."""
    name = artifact_names.commit(rig.job.dataset, cell, 1)
    rig.store.put(name, b"{}", metadata={PUBLISHED: "2026-01-01T00:00:00Z"})


def take_marks_off(rig: Audited, cell: GridCell) -> None:
    """As an older program left it: nothing is wrong with the tile."""
    record = rig.record(cell)
    _set_marks(rig, record, {PUBLISHED: "2026-01-01T00:00:00Z"})
    for artifact in record.artifacts:
        name = artifact_names.published(record.dataset, artifact.name)
        rig.store.put(name, rig.store.read(name).data)


def _set_marks(rig: Audited, record: CommitRecord, marks: dict[str, str]) -> None:
    rig.store.set_metadata(record.blob_name, marks, if_etag=rig.store.info(record.blob_name).etag)


def revoke_only(rig: Audited, cell: GridCell) -> None:
    """As a repair leaves it that dies before it asked again: no fault, and nobody works on it."""
    revoke(rig.store, rig.job.dataset, cell, 1, "a test")


def lose_commit(rig: Audited, cell: GridCell) -> None:
    """The artifacts stay, and nothing names them."""
    rig.store.delete(artifact_names.commit(rig.job.dataset, cell, 1))


Damage = Callable[[Audited, GridCell], None]

DAMAGES: dict[Damage, list[FaultKind]] = {
    lose_artifact: [FaultKind.MISSING],
    cut_artifact: [FaultKind.WRONG_LENGTH],
    flip_artifact: [FaultKind.WRONG_MD5],
    replace_by_hand: [FaultKind.WRONG_LENGTH],
    leave_over: [FaultKind.LEFT_OVER],
    unpublish: [FaultKind.NOT_PUBLISHED],
    unpublish_without_staging: [FaultKind.NOT_PUBLISHED],
    garble_commit: [FaultKind.UNREADABLE_COMMIT],
    take_marks_off: [],
    revoke_only: [],
    lose_commit: [FaultKind.LEFT_OVER, FaultKind.LEFT_OVER],
}
"""And what verify calls it."""
