"""A fleet of one's own on the session's Azurite: real programs as processes, real queues and blobs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contract import artifact_names
from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.commit import read_commit
from contract.fleet import Fleet, read_fleet_file
from contract.fleet_queues import FleetQueues
from contract.heartbeat import read_heartbeats
from contract.job_store import asked_tiles, read_asked, read_job
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue

QUICK = {
    "TILEFLEET_CONSUMER_LEASE_SECONDS": "6",
    "TILEFLEET_CONSUMER_IDLE_POLL_SECONDS": "0.5",
    "TILEFLEET_CONSUMER_HEARTBEAT_SECONDS": "0.5",
    "TILEFLEET_CONSUMER_LEDGER_SECONDS": "0.5",
}
JOB_LINE = re.compile(r"^\s*job\s+(\S+)", re.MULTILINE)
LOG_LINES_SHOWN = 12
ISLE_OF_MAN_ROWS = ("bbox:-4.9,54.0,-4.3,54.3",)
"""18 cells, six by three."""


def wait_for(condition: Callable[[], bool], what: str, limit_seconds: float = 120) -> None:
    """Poll a condition; fails by name when it does not come true."""
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_seconds} s for {what}"
        time.sleep(0.05)


@dataclass
class FleetRig:
    """Programs and storage of one test's fleet."""

    folder: Path
    fleet: Fleet
    environ: dict[str, str]
    store: AzureBlobStore
    queues: FleetQueues
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def type(self, program: str, *arguments: str, status: int = 0) -> str:
        """Run a command as a person would; its output, both streams."""
        answer = subprocess.run(
            [sys.executable, "-m", program, *arguments],
            env=self.environ,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert answer.returncode == status, answer.stdout
        assert "Traceback" not in answer.stdout
        return answer.stdout

    def enqueue(
        self, *regions: str, recipe: str = "toy", options: Sequence[str] = (), **settings: object
    ) -> str:
        """Ask for regions; the job's id."""
        sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        output = self.type(
            "producer", "enqueue", *regions, "--year", "2024", "--recipe", recipe, *sets, *options
        )
        match = JOB_LINE.search(output)
        assert match, output
        return match.group(1)

    def start_consumer(self, name: str, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """A worker of its own, ended with the test."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "consumer", "run", *arguments],
                env={
                    **self.environ,
                    **QUICK,
                    "TILEFLEET_CONSUMER_WORKER": name,
                    "TILEFLEET_CONSUMER_CACHE_FOLDER": str(self.folder / "cache"),
                    "TILEFLEET_CONSUMER_SCRATCH_FOLDER": str(self.folder / "scratch" / name),
                    **environ,
                },
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def log_of(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        """Kill what still runs, and print how each log ends: pytest shows it only if the test failed."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
        for log in sorted(self.folder.glob("*.log")):
            ending = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            print(f"--- {log.name}", *ending, sep="\n")


def make_rig(
    folder: Path, queue_url: str, blob_url: str, *, stac_url: str = "http://127.0.0.1:9"
) -> FleetRig:
    """A fleet with a name, queues and a container that nobody else has."""
    name = f"t{uuid.uuid4().hex[:10]}"
    path = folder / "fleets" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'name = "{name}"\nkind = "laptop"\nlocation = "here"\n[storage]\nqueue_url = "{queue_url}"\n'
        f'blob_url = "{blob_url}"\ncontainer = "{name}"\n[imagery]\nstac_url = "{stac_url}"\n'
    )
    fleet = read_fleet_file(path)
    clients = AzureClients(storage_endpoints(fleet))
    store = AzureBlobStore(clients)
    store.ensure()
    names = queue_names(name)
    queues = FleetQueues(*(AzureTileQueue(clients, n) for n in (names.tiles, names.urgent, names.poison)))
    queues.ensure()
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TILEFLEET_")}
    repository = str(Path(__file__).resolve().parents[1])
    environ |= {"FLEET": name, "PYTHONPATH": repository, "PYTHONUNBUFFERED": "1", "COLUMNS": "120"}
    return FleetRig(folder, fleet, environ, store, queues)


def committed_once(rig: FleetRig, job_id: str) -> list[dict]:
    """The `done` facts of a complete job whose every tile has one published commit and its own bytes."""
    job = read_job(rig.store, job_id)
    tiles = list(asked_tiles(read_asked(rig.store, job)))
    done = []
    for tile in tiles:
        committed = read_commit(rig.store, job.dataset, tile, 1)
        assert committed is not None, tile
        assert committed.is_published, tile
        for artifact in committed.record.artifacts:
            info = rig.store.info(artifact_names.published(job.dataset, artifact.name))
            assert (info.length, info.md5.hex()) == (artifact.length, artifact.md5)
        done.append(dict(committed.record.done))
    names = list(rig.store.names(artifact_names.commits_prefix(job.dataset)))
    assert len(names) == len(tiles)
    return done


def stages_of(rig: FleetRig, worker: str) -> set[str]:
    """The stages of the tiles that a worker's last heartbeat names."""
    return {
        held.stage
        for seen in read_heartbeats(rig.store).seen
        if seen.heartbeat.worker == worker
        for held in seen.heartbeat.tiles
    }


def is_drained(rig: FleetRig) -> bool:
    """Nothing is queued, visible or not."""
    return rig.queues.tiles.depth() == 0 and rig.queues.urgent.depth() == 0
