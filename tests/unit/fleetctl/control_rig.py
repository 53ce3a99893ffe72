"""A job of three tiles with simulated queues, and tiles given up the way a worker does it."""

from __future__ import annotations

from dataclasses import dataclass, field

from consumer.poison import poison_foreign, poison_tile
from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.commit import read_standing
from contract.fleet_queues import FleetQueues
from contract.job import JobState, JobStatus
from contract.job_store import Cursor, read_status, write_cursor, write_status
from contract.outcomes import Cause
from contract.tile_id import GridCell, parse_tile
from contract.tile_message import PastAttempt, TileMessage, decode_message
from contract.tile_queues.simulated import SimulatedQueues
from tests.unit.fleetctl.campaign_builder import START, Campaign

A, B, C = (parse_tile(f"grid_0.{tenth}5_50.05") for tenth in (0, 1, 2))


@dataclass
class ControlRig:
    """Storage whose clock moves only when told."""

    cells: tuple[GridCell, ...] = (A, B, C)
    seconds: float = field(default=START.timestamp())

    def __post_init__(self) -> None:
        self.container = SimulatedContainer(lambda: self.seconds)
        self.store = SimulatedBlobStore(self.container)
        self.simulated = SimulatedQueues(lambda: self.seconds)
        self.queues = self.queues_with()
        self.queues.ensure()
        self.campaign = Campaign(self.cells, store=self.store)
        self.job = self.campaign.job
        self.dataset = self.job.dataset
        write_cursor(self.store, self.job.id, Cursor(len(self.cells)))

    def queues_with(self, **fault) -> FleetQueues:
        names = ("fleet-tiles", "fleet-urgent", "fleet-poison")
        return FleetQueues(*(self.simulated.queue(name, **fault) for name in names))

    def clock(self) -> float:
        return self.seconds

    def ask(self, tile, **changes) -> None:
        self.queues.tiles.send(TileMessage(self.job.id, self.dataset, tile, **changes).encode())

    def give_up(self, tile, *, reason: str = "bad data", generation: int = 1) -> str:
        """Ask the tile, and poison it as a worker does; its entry's name."""
        self.ask(tile, generation=generation)
        (held,) = self.queues.receive(1, 60)
        past = PastAttempt("a1", "w7", Cause.TILE, "GiveUp:0123456789")
        message = decode_message(held.body).after(past)
        return poison_tile(self.store, self.queues, held, message, cause=Cause.TILE, reason=reason)

    def give_up_foreign(self, body: str) -> str:
        self.queues.tiles.send(body)
        (held,) = self.queues.receive(1, 60)
        return poison_foreign(self.store, self.queues, held, "it is not a tile message")

    def messages(self, after_seconds: float = 3600) -> list[TileMessage]:
        """Everything in the work queues, `after_seconds` from now, settled at once."""
        self.seconds += after_seconds
        found = []
        for queue in (self.queues.urgent, self.queues.tiles):
            while held := queue.receive(32, 60):
                for message in held:
                    found.append(decode_message(message.body))
                    queue.complete(message)
        return found

    def set_state(self, state: JobState) -> None:
        etag = read_status(self.store, self.job.id).etag
        status = JobStatus(state, "by hand", START.isoformat())
        write_status(self.store, self.job.id, status, if_etag=etag)

    def is_accounted(self, tile) -> bool:
        """Committed, explained, or asked by a message of the generation that counts: never none of the three."""
        standing = read_standing(self.store, self.dataset, tile)
        if standing.is_done or next(self.store.names(artifact_names.poison(self.dataset, tile)), None):
            return True
        messages = [decode_message(body) for body in self._bodies() if '"tile"' in body]
        return any(m.tile == tile and m.generation == standing.asked for m in messages)

    def _bodies(self) -> list[str]:
        return [m.body for queue in self.simulated._queues.values() for m in queue.messages.values()]


class Crash(Exception):
    """The process ends here."""


class CrashesAt:
    """A fault hook that crashes at one of the writes, counted from 0, before or after its effect."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.writes = 0

    def __call__(self, _moment: str, operation: str, _name: str) -> None:
        if operation in {"create", "put", "replace", "set_metadata", "delete", "append", "send"}:
            self.writes += 1
            if self.writes - 1 == self.step:
                raise Crash
