"""A calibration's tiles as real jobs: each pair has queues and a container of its own, so that nobody else helps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from contract.artifact_names import DATASETS_PREFIX
from contract.blob_store import BlobStore
from contract.commit import revoke
from contract.commit_record import MAX_COMMIT_BYTES, CommitRecord, decode_commit
from contract.errors import BadInput, NotFound
from contract.fleet import Fleet
from contract.fleet_queues import FleetQueues
from contract.heartbeat import read_heartbeats
from contract.tile_message import TileMessage
from fleetctl.campaign.facts import read_facts
from fleetctl.cloud.user_data import fleet_toml
from fleetctl.money.calibrate import Pair
from fleetctl.producing import run_producer

JOB = "calibration"


def pair_fleet(fleet: Fleet, pair: Pair) -> Fleet:
    """The fleet's addresses with the pair's own queues and container."""
    own = f"cal{pair.number:04d}"
    return replace(fleet, name=f"{fleet.name}-{own}", container=f"{fleet.container}-{own}")


@dataclass
class TrialJobs:
    """Implements `calibrate.Trials` by the producer and the stored commits."""

    fleet: Fleet
    tile: str
    words: Sequence[str]
    """For `producer enqueue`: year, recipe and its parameters, that cubes are kept among them."""
    connect: Callable[[Fleet], tuple[BlobStore, FleetQueues]]
    _connected: dict[str, tuple[BlobStore, FleetQueues]] = field(default_factory=dict)

    def ask(self, pair: Pair) -> None:
        """See `calibrate.Trials`. What an earlier calibration left in the container is deleted first."""
        self.clear(pair)
        with tempfile.TemporaryDirectory(prefix="tilefleet-calibration-") as folder:
            file, tiles = Path(folder) / "pair.toml", Path(folder) / "tile.txt"
            file.write_text(fleet_toml(pair_fleet(self.fleet, pair)), encoding="utf-8")
            tiles.write_text(f"{self.tile}\n", encoding="utf-8")
            options = ["--job", JOB, "--second-attempts", "0"]
            asked = run_producer(["enqueue", str(tiles), *options, *self.words, "--fleet", str(file)])
        if not asked.is_done:
            raise BadInput(f"the tile could not be asked for {pair.offer}: the producer says why above")

    def ask_again(self, pair: Pair) -> None:
        """See `calibrate.Trials`: the next generation is asked first and this one revoked second, as a redo does."""
        store, queues = self._at(pair)
        _, record = next(_commits(store, 1))
        job = str(record.done["job"])
        queues.tiles.send(TileMessage(job, record.dataset, record.tile, generation=2).encode())
        revoke(store, record.dataset, record.tile, 1, reason="calibration: once more, from its cube")

    def has_reported(self, pair: Pair) -> bool:
        """See `calibrate.Trials`."""
        return any(seen.heartbeat.vm == pair.vm for seen in read_heartbeats(self._at(pair)[0]).seen)

    def seconds(self, pair: Pair, generation: int) -> float | None:
        """See `calibrate.Trials`: all stages together, as the commit says."""
        for written, record in _commits(self._at(pair)[0], generation):
            return sum(read_facts(record.done, record.outcome, written).stage_seconds.values())
        return None

    def clear(self, pair: Pair) -> None:
        """See `calibrate.Trials`. The container and its queues stay, empty."""
        store, queues = self._at(pair)
        for queue in (queues.tiles, queues.urgent, queues.poison):
            queue.clear()  # also of what a machine held that was removed: it would be measured again
        with suppress(NotFound):  # there is no such container yet
            for name in list(store.names("")):
                store.delete(name)

    def _at(self, pair: Pair) -> tuple[BlobStore, FleetQueues]:
        if pair.vm not in self._connected:
            self._connected[pair.vm] = self.connect(pair_fleet(self.fleet, pair))
        return self._connected[pair.vm]


def _commits(store: BlobStore, generation: int) -> Iterator[tuple[datetime, CommitRecord]]:
    """Of all datasets of the pair's container: there is one, with one tile."""
    for name in store.names(DATASETS_PREFIX):
        if "/commits/" in name and name.endswith(f"/g{generation}"):
            blob = store.read(name, max_bytes=MAX_COMMIT_BYTES)
            yield blob.info.modified, decode_commit(blob.data)
