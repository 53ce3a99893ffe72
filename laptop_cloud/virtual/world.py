"""What a virtual fleet shares: storage, the job, what each tile is like, and a count of what happened."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.dataset import Dataset
from contract.fleet import Fleet
from contract.fleet_queues import FleetQueues
from contract.job import Job, JobState, JobStatus, asked_digest, encode_asked
from contract.job_store import create_once
from contract.simulated_faults import Fault, no_fault
from contract.tile_id import GridCell, TileId
from contract.tile_message import TileMessage
from contract.tile_queues.simulated import SimulatedQueues
from laptop_cloud.virtual.kernel import Kernel
from laptop_cloud.virtual.scenario import Nature, Scenario

EPOCH = 1_700_000_000.0
QUEUE_NAMES = ("virtual-tiles", "virtual-urgent", "virtual-poison")
RECIPE = "virtual"
LAND = b"land of the virtual fleet"
FLEET = Fleet(
    "virtual", "laptop", "nowhere", "http://127.0.0.1:9/q", "http://127.0.0.1:9/b", "t", "http://127.0.0.1:9"
)
COLUMNS = 3600
"""Cells around the equator: tile n of a job is cell n counted from there."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One law that one run broke."""

    law: str
    found: str
    tile: str = ""
    """Whose history to look at; empty: no tile in particular."""

    @property
    def sentence(self) -> str:
        return f"{self.law}: {self.tile + ': ' if self.tile else ''}{self.found}"


@dataclass(slots=True)
class Account:
    """Where the fleet's paid seconds went, as the ledger's identity has it."""

    paid_seconds: float = 0.0
    boot_seconds: float = 0.0
    infer_seconds: float = 0.0
    """All inference, whatever came of it."""
    useful_seconds: float = 0.0
    """Inference that committed results are made of."""

    paid_with_work_seconds: float = 0.0
    """Paid until no more tiles waited than workers can hold: what comes after is the tail of a campaign."""
    infer_with_work_seconds: float = 0.0
    """Inference until then."""

    @property
    def lost_seconds(self) -> float:
        """Inference that had to be done again."""
        return self.infer_seconds - self.useful_seconds

    @property
    def kept_share(self) -> float:
        """Of all inference, what committed results are made of: 1 when no eviction cost any of it."""
        return self.useful_seconds / self.infer_seconds

    @property
    def goodput(self) -> float:
        """Of what was paid while there was work, inference that was kept. Whatever was lost, even in the tail, counts
        against it; so do boots, the first download after each, and waiting."""
        return (self.infer_with_work_seconds - self.lost_seconds) / self.paid_with_work_seconds

    @property
    def idle_seconds(self) -> float:
        """The GPU had nothing: no tile was there, or its download was not done."""
        return self.paid_seconds - self.boot_seconds - self.infer_seconds


@dataclass(eq=False)
class World:
    """Made once per run; every virtual process reaches the same storage through its own client."""

    scenario: Scenario
    seed: int
    kernel: Kernel
    chance: Random
    container: SimulatedContainer = field(init=False)
    accounts: SimulatedQueues = field(init=False)
    job: Job = field(init=False)
    tiles: list[TileId] = field(init=False)
    natures: dict[str, Nature] = field(default_factory=dict)
    """By tile name; tiles that are not here are good."""
    account: Account = field(default_factory=Account)
    happened: Counter[str] = field(default_factory=Counter)
    commits: Counter[str] = field(default_factory=Counter)
    """How often each commit was created: more than once is against the law."""
    source_failures_left: dict[str, int] = field(default_factory=dict)
    cut_off: set[str] = field(default_factory=set)
    """Attempts that did not run undisturbed to their end, so that staging may be left of them."""
    hostile: list[str] = field(default_factory=list)
    """Messages that no program of ours sent."""
    broken: list[Broken] = field(default_factory=list)
    """Laws that were seen broken while the fleet worked."""
    watched: str = ""
    """The tile whose history is kept."""
    history: list[str] = field(default_factory=list)
    redone: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    """Errors of the programs' own that they logged with a traceback: there must be none."""
    is_over: bool = False
    ended_at: float = EPOCH

    def __post_init__(self) -> None:
        self.container = SimulatedContainer(lambda: self.kernel.now)
        self.accounts = SimulatedQueues(lambda: self.kernel.now)
        self.queues().ensure()

    def store(self, fault: Fault = no_fault) -> SimulatedBlobStore:
        return SimulatedBlobStore(self.container, fault)

    def queues(self, fault: Fault = no_fault) -> FleetQueues:
        return FleetQueues(*(self.accounts.queue(name, fault) for name in QUEUE_NAMES))

    def ask(self) -> None:
        """Write the job's records and put its messages, some of them twice, with hostile ones in between."""
        scenario = self.scenario
        self.tiles = [GridCell(n // COLUMNS, n % COLUMNS - COLUMNS // 2) for n in range(scenario.tiles)]
        self.job = self._write_records()
        bodies = [TileMessage(self.job.id, self.job.dataset, tile).encode() for tile in self.tiles]
        bodies += [body for body in bodies if self.chance.random() < scenario.duplicate_share]
        self.hostile = [hostile_message(self.chance) for _ in range(scenario.hostile_messages)]
        bodies += self.hostile
        self.chance.shuffle(bodies)
        self.queues().tiles.send_many(bodies)
        for tile in self.tiles:
            self._draw_nature(tile)

    def settle_account(self) -> None:
        """Count what the committed results are made of; once, at the end."""
        tiles = {tile.path_name: tile for tile in self.tiles}
        committed = (tiles[name.split("/")[-2]] for name in self.commits)
        self.account.useful_seconds = sum(
            self.seconds(tile, self.scenario.durations.infer)
            for tile in committed
            if self.nature(tile) is not Nature.EMPTY
        )

    @property
    def poisoned_count(self) -> int:
        """Tiles that were given up."""
        prefix = f"{artifact_names.POISON_PREFIX}{self.job.dataset}/"
        return sum(1 for _ in self.store().names(prefix))

    def note(self, tile: str, what: str) -> None:
        """One line of the watched tile's history."""
        if tile == self.watched:
            who = self.kernel.process.name
            self.history.append(f"{self.kernel.now - EPOCH:10.2f} s  {who:10}  {what}")

    def nature(self, tile: TileId) -> Nature:
        return self.natures.get(tile.name, Nature.GOOD)

    def seconds(self, tile: TileId, median: float) -> float:
        """A tile's own share of a median: the same in every attempt."""
        digest = hashlib.blake2b(f"{self.seed} {tile.name}".encode(), digest_size=4).digest()
        spread = int.from_bytes(digest, "big") / 2**32
        return median * (0.75 + 0.5 * spread)

    def block(self, tile: TileId, number: int) -> bytes:
        """The bytes of one block of a tile's inference, whoever makes it and however often."""
        return hashlib.blake2b(f"{self.job.dataset} {tile.name} {number}".encode(), digest_size=8).digest()

    def result(self, tile: TileId) -> bytes:
        """All blocks of a tile as an undisturbed attempt makes them."""
        return b"".join(self.block(tile, number) for number in range(self.scenario.blocks))

    def _draw_nature(self, tile: TileId) -> None:
        drawn = self.chance.random()
        for nature, share in self.scenario.natures:
            drawn -= share
            if drawn < 0:
                self.natures[tile.name] = nature
                if nature is Nature.FLAKY:
                    self.source_failures_left[tile.name] = self.chance.randint(1, 4)
                return

    def _write_records(self) -> Job:
        store = self.store()
        land = hashlib.sha256(LAND).hexdigest()
        dataset = Dataset(RECIPE, "1", "2024", {}, None, is_trained=True, boundaries_sha256=land)
        asked = encode_asked(self.tiles)
        job = Job(
            name="virtual-job",
            dataset=dataset.name,
            asked_count=len(self.tiles),
            asked_sha256=asked_digest(asked),
            asked_text="by the virtual fleet",
            is_urgent=False,
            canary_count=0,
            recipe=RECIPE,
            settings={},
            campaign="virtual",
            created="2024-01-01T00:00:00Z",
        )
        create_once(store, artifact_names.boundaries(land), LAND)
        create_once(store, artifact_names.dataset_record(dataset.name), dataset.encode())
        create_once(store, artifact_names.job_asked(job.id), asked)
        create_once(store, artifact_names.job_record(job.id), job.encode())
        self.set_state(job, JobState.RUNNING)
        return job

    def set_state(self, job: Job, state: JobState) -> None:
        status = JobStatus(state, "", "2024-01-01T00:00:00Z")
        self.store().put(artifact_names.job_state(job.id), status.encode())


def exponential(chance: Random, mean: float) -> float:
    """Seconds until the next of events that come at random; never for a mean of infinity."""
    return chance.expovariate(1.0 / mean) if math.isfinite(mean) else math.inf


def hostile_message(chance: Random) -> str:
    """A text that no program of ours sent."""
    junk = "".join(chance.choice("{}[]\":,\\x0 <!'é☃") for _ in range(chance.randint(0, 80)))
    return chance.choice(
        [
            junk,
            '{"v":99,"tile":"grid_0.05_0.05"}',
            '{"v":1,"job":"../../etc/passwd","dataset":"d","generation":1,"tile":"grid_0.05_0.05"}',
            "[" * 1000,
            "<QueueMessage/>" + junk,
        ]
    )
