"""A worker's real parts on simulated storage under a virtual clock, one toy job, stages run step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from consumer.parts import Parts, build_parts
from consumer.patience import Patience
from consumer.settings import Settings
from consumer.work import Work
from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.dataset import Dataset
from contract.errors import StorageUnavailable
from contract.fleet import Fleet
from contract.fleet_queues import FleetQueues
from contract.job import Job, JobState, JobStatus, asked_digest, encode_asked
from contract.job_store import create_once
from contract.recipe import find_recipe
from contract.simulated_faults import Fault, no_fault
from contract.tile_id import GridCell, TileId
from contract.tile_message import TileMessage
from contract.tile_queues.simulated import SimulatedQueues

LEASE_SECONDS = 90
TILE = GridCell(541, -46)
QUICK = {"download_seconds": "0", "infer_seconds": "0", "artifacts": "2", "artifact_bytes": "100"}
QUEUE_NAMES = ("t-tiles", "t-urgent", "t-poison")
FLEET = Fleet(
    "t", "laptop", "here", "http://127.0.0.1:9/q", "http://127.0.0.1:9/b", "t", "http://127.0.0.1:9"
)


class Died(BaseException):
    """The process ended here: nothing that follows in it happens."""


@dataclass
class World:
    """One fleet's storage, and the time that passes there."""

    folder: Path
    now: float = 1_700_000_000.0
    container: SimulatedContainer = field(init=False)
    accounts: SimulatedQueues = field(init=False)

    def __post_init__(self):
        self.container = SimulatedContainer(lambda: self.now)
        self.accounts = SimulatedQueues(lambda: self.now)
        self.queues.ensure()

    @property
    def store(self) -> SimulatedBlobStore:
        return SimulatedBlobStore(self.container)

    @property
    def queues(self) -> FleetQueues:
        return self.queues_of(no_fault)

    def queues_of(self, fault: Fault) -> FleetQueues:
        return FleetQueues(*(self.accounts.queue(name, fault) for name in QUEUE_NAMES))

    def ask(self, *tiles: TileId, state: JobState = JobState.RUNNING, recipe="toy", **settings: str) -> Job:
        """Write the records of a toy job and put its messages."""
        tiles = tiles or (TILE,)
        job = self.write_job(tiles, recipe, settings)
        self.set_state(job, state)
        for tile in tiles:
            self.queues.tiles.send(TileMessage(job.id, job.dataset, tile).encode())
        return job

    def write_job(self, tiles, recipe, settings) -> Job:
        resolved = find_recipe("toy").resolve({**QUICK, **settings})
        dataset = Dataset(recipe, "1", "2024", resolved, None, is_trained=True, boundaries_sha256="0" * 64)
        asked = encode_asked(tiles)
        job = Job(
            name="toy-job",
            dataset=dataset.name,
            asked_count=len(tiles),
            asked_sha256=asked_digest(asked),
            asked_text="by a test",
            is_urgent=False,
            canary_count=0,
            recipe=recipe,
            settings=resolved,
            campaign="c",
            created="2024-01-01T00:00:00Z",
        )
        create_once(self.store, artifact_names.boundaries("0" * 64), b"land")
        create_once(self.store, artifact_names.dataset_record(dataset.name), dataset.encode())
        create_once(self.store, artifact_names.job_asked(job.id), asked)
        create_once(self.store, artifact_names.job_record(job.id), job.encode())
        return job

    def set_state(self, job: Job, state: JobState) -> None:
        self.store.put(
            artifact_names.job_state(job.id), JobStatus(state, "", "2024-01-01T00:00:00Z").encode()
        )

    def published(self, job: Job) -> dict[str, bytes]:
        root = artifact_names.dataset_root(job.dataset)
        names = [name for name in self.store.names(root) if name.startswith(f"{root}toy/")]
        return {name: self.store.read(name).data for name in names}

    def names(self, prefix: str) -> list[str]:
        return list(self.store.names(prefix))

    def depths(self) -> tuple[int, int, int]:
        queues = self.queues
        return queues.tiles.depth(), queues.urgent.depth(), queues.poison.depth()


class StepWorker:
    """One worker, its stages run one after the other in this thread."""

    def __init__(
        self,
        world: World,
        name: str,
        fault: Fault = no_fault,
        *,
        patience_seconds: float = 0.02,
        **settings: object,
    ) -> None:
        """`patience_seconds`: short, so that a storage that stays away holds no test up; a test that counts on a
        second try gives more, since the first may take that long on a busy machine."""
        self.world = world
        folder = world.folder / name
        usual = {"lease_seconds": LEASE_SECONDS, "cache_folder": folder / "c", "scratch_folder": folder / "s"}
        self.settings = Settings(worker=name, **{**usual, **settings})
        self.parts: Parts = build_parts(
            self.settings,
            FLEET,
            SimulatedBlobStore(world.container, fault),
            world.queues_of(fault),
            worker=name,
            patience=Patience(
                limit_seconds=patience_seconds, first_pause_seconds=0.001, longest_pause_seconds=0.001
            ),
        )

    def receive(self, count: int = 1) -> list[Work]:
        """As the main thread does: no answer, no tiles."""
        try:
            works = self.parts.receive.receive(count)
        except StorageUnavailable:
            return []
        for work in works:
            self.parts.state.on_received(work)
        return works

    def run(self, work: Work) -> Work:
        """As the pipeline does it for one item."""
        for stage in (self.parts.steps.fetch, self.parts.steps.infer, self.parts.steps.upload):
            if work.error is None:
                try:
                    stage(work)
                except Exception as error:  # noqa: BLE001 - as the pipeline does
                    work.error = error
        self.parts.steps.settle(work)
        return work

    def work_until_empty(self, rounds: int = 20) -> list[Work]:
        """Take what there is, and let leases and pauses run out in between; every work that was run."""
        done = []
        for _ in range(rounds):
            if self.world.depths()[:2] == (0, 0):
                return done
            works = self.receive(8)
            done += [self.run(work) for work in works]
            if not works:
                self.world.now += LEASE_SECONDS + 1
        raise AssertionError(f"still {self.world.depths()} messages after {rounds} rounds")
