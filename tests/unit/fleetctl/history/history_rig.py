"""Jobs, commits and ledger lines of workers on simulated storage, as the history reads them."""

from __future__ import annotations

from datetime import UTC, datetime

from contract import artifact_names, ledger_events
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.dataset import Dataset
from contract.job import Job, JobState, JobStatus, asked_digest, encode_asked
from contract.ledger import LedgerWriter
from contract.tile_id import GridCell
from fleetctl.history.follow import LedgerHistory

TILES = tuple(GridCell(541, column) for column in range(-60, -50))
DATASET = Dataset("toy", "1", "2024", {}, None, is_trained=True, boundaries_sha256="0" * 64).name


class HistoryRig:
    """One fleet's storage."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.container = SimulatedContainer(lambda: self.now)
        self.store = SimulatedBlobStore(self.container)

    def history(self) -> LedgerHistory:
        history = LedgerHistory(self.store)
        history.load()
        return history

    def ask(self, name="toy-job", tiles=TILES) -> Job:
        asked = encode_asked(tiles)
        job = Job(
            name=name,
            dataset=DATASET,
            asked_count=len(tiles),
            asked_sha256=asked_digest(asked),
            asked_text="by a test",
            is_urgent=False,
            canary_count=0,
            recipe="toy",
            settings={},
            campaign="c",
            created="2024-01-01T00:00:00Z",
        )
        self.store.create(artifact_names.job_asked(job.id), asked)
        self.store.create(artifact_names.job_record(job.id), job.encode())
        self.set_state(job, JobState.RUNNING)
        return job

    def set_state(self, job, state, reason="") -> None:
        status = JobStatus(state, reason, "2024-01-01T00:00:00Z")
        self.store.put(artifact_names.job_state(job.id), status.encode())

    def commit(self, tile, generation=1) -> None:
        self.store.put(artifact_names.commit(DATASET, tile, generation), b"{}")

    def revoke(self, tile, generation=1) -> None:
        self.store.put(artifact_names.revocation(DATASET, tile, generation), b"{}")

    def poison(self, tile) -> None:
        self.store.put(artifact_names.poison(DATASET, tile), b"{}")

    def worker(self, name="w1") -> LedgerWriter:
        return LedgerWriter(self.store, name, clock=lambda: self.now, bound={"worker": name})

    def say(self, writer, event, tile=TILES[0], **facts) -> None:
        writer.write(event, dataset=DATASET, tile=tile.name, generation=1, **facts)
        writer.flush()

    def done(self, writer, tile, seconds=60.0, **facts) -> None:
        self.say(writer, ledger_events.DONE, tile, outcome="done", seconds={"infer": seconds}, **facts)

    def at(self, seconds_ahead) -> str:
        return datetime.fromtimestamp(self.now + seconds_ahead, UTC).isoformat()
