"""`producer enqueue` as a process against a real Azurite: killed, raced, refused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from azure.storage.blob import BlobLeaseClient, ContainerClient

from contract.artifact_names import job_cursor
from contract.azure_clients import AzureClients, StorageEndpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import KEY_VARIABLE
from contract.job import Job
from contract.job_store import (
    PRODUCER_LEASE_SECONDS,
    lease_for_producing,
    list_jobs,
    read_asked,
    read_cursor,
    read_status,
)
from contract.tile_queues.azure import AzureTileQueue
from laptop_cloud import relay_control
from laptop_cloud.azurite import Endpoints
from laptop_cloud.relay_control import RelayControl
from laptop_cloud.storage_faults import StorageFaults
from producer.exit_codes import ExitCode
from producer.send import BATCH_TILES
from tests.producer_rig import drained, names

LIMIT_SECONDS = 120
BOX, TILES = "bbox:0,50,2,53", 600
"""On land and sea: two batches."""


@dataclass(frozen=True)
class RealFleet:
    """A fleet of this test's own in the session's Azurite."""

    file: Path
    store: AzureBlobStore
    tiles: AzureTileQueue
    container: ContainerClient

    def at(self, storage: Endpoints) -> RealFleet:
        """The same fleet as a producer meets it that reaches its storage another way."""
        lines = [line for line in self.file.read_text().splitlines() if "_url" not in line]
        lines += [f'queue_url = "{storage.queue_url}"', f'blob_url = "{storage.blob_url}"']
        file = self.file.with_name(f"other-{self.file.name}")
        file.write_text("\n".join(lines))
        return replace(self, file=file)

    def end_producers_lease(self, job: Job) -> None:
        """At once, instead of seconds after its holder died."""
        BlobLeaseClient(self.container.get_blob_client(job_cursor(job.id))).break_lease(0)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "producer", "enqueue", *arguments, "--fleet", str(self.file)]

    def enqueue(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
            env={**os.environ, **variables},
        )


@pytest.fixture
def make_fleet(storage: StorageEndpoints, tmp_path: Path) -> Callable[..., RealFleet]:
    def make(*, queues: bool = True, container: bool = True) -> RealFleet:
        name = f"t{uuid.uuid4().hex[:10]}"
        file = tmp_path / f"{name}.toml"
        file.write_text(
            f'name = "{name}"\nkind = "laptop"\nlocation = "here"\n[storage]\ncontainer = "{name}"\n'
            f'queue_url = "{storage.queue_url}"\nblob_url = "{storage.blob_url}"\n'
        )
        clients = AzureClients(replace(storage, container=name))
        fleet = RealFleet(
            file, AzureBlobStore(clients), AzureTileQueue(clients, f"{name}-tiles"), clients.container()
        )
        if container:
            fleet.store.ensure()
        if queues:
            fleet.tiles.ensure()
            AzureTileQueue(clients, f"{name}-urgent").ensure()
        return fleet

    return make


@pytest.fixture
def fleet(make_fleet: Callable[..., RealFleet]) -> RealFleet:
    return make_fleet()


@pytest.fixture
def relay(azurite: Endpoints, tmp_path: Path) -> Iterator[RelayControl]:
    """The way to the storage of a producer that is to be caught while it sends."""
    with relay_control.running(azurite, tmp_path / "relay.log") as control:
        yield control


@contextmanager
def caught_while_it_sends(fleet: RealFleet, relay: RelayControl) -> Iterator[subprocess.Popen[str]]:
    """A producer of BOX that has put some messages of a batch whose cursor is not written yet.

    All others are refused meanwhile: it tries them again for some seconds, and cannot finish the batch.
    """
    relay.misbehave(StorageFaults(busy_percent=100, only="^put message", skip=BATCH_TILES + 20))
    command = fleet.at(relay.endpoints).command(BOX)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            while fleet.tiles.depth() <= BATCH_TILES:
                assert process.poll() is None, "it ended before it could be caught"
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_an_enqueue_killed_in_the_middle_goes_on_repeats_little_and_skips_nothing(fleet, relay):
    with caught_while_it_sends(fleet, relay) as process:
        senders = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        relay.behave()
    # They finish the batch that they hold and then find nobody at the other end of their pipes.
    _, alive = psutil.wait_procs(senders, timeout=LIMIT_SECONDS)
    assert senders
    assert not alive
    (job,) = list_jobs(fleet.store)
    stopped_at = read_cursor(fleet.store, job.id).position
    assert stopped_at == BATCH_TILES < job.asked_count == TILES
    fleet.end_producers_lease(job)

    resumed = fleet.enqueue(BOX)

    assert resumed.returncode == ExitCode.DONE, resumed.stderr
    assert f"queued before {stopped_at}" in resumed.stderr
    sent = Counter(names(drained(fleet.tiles)))
    assert set(sent) == set(read_asked(fleet.store, job).decode().split())
    assert sum(sent.values()) - TILES <= BATCH_TILES
    assert f"{TILES} tiles, {TILES} done or queued, 0 new" in fleet.enqueue(BOX).stderr
    assert fleet.tiles.depth() == sum(sent.values())


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_frees_the_job_at_once(fleet, relay):
    with caught_while_it_sends(fleet, relay) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the sending processes get it, too
        relay.behave()
        _, said = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == ExitCode.INTERRUPTED
    assert re.search(r"interrupted; job bbox-\S+ came to tile \d+: type the same command again", said)
    assert "Traceback" not in said
    resumed = fleet.enqueue(BOX)
    assert resumed.returncode == ExitCode.DONE
    assert "waiting" not in resumed.stderr


@pytest.mark.slow
def test_while_one_producer_sends_a_second_one_is_refused(fleet):
    assert fleet.enqueue("Malta", "--canary", "2").returncode == ExitCode.DONE
    (job,) = list_jobs(fleet.store)
    first = lease_for_producing(fleet.store, job.id)
    second = subprocess.Popen(fleet.command("Malta", "--canary", "2"), stderr=subprocess.PIPE, text=True)
    said = ""
    while second.returncode is None:
        with suppress(subprocess.TimeoutExpired):
            _, said = second.communicate(timeout=PRODUCER_LEASE_SECONDS / 3)
        first.renew()
    assert second.returncode == ExitCode.BAD_INPUT
    assert f"another producer is enqueueing job {job.id} right now" in said
    assert fleet.tiles.depth() == 2


def test_two_that_ask_at_the_same_time_enqueue_once(fleet):
    both = [subprocess.Popen(fleet.command("Malta"), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=LIMIT_SECONDS)[1] for process in both]
    assert [process.returncode for process in both] == [ExitCode.DONE, ExitCode.DONE], said
    assert fleet.tiles.depth() == 9


def test_records_of_a_laptop_job_say_untrained_and_its_coast_is_stored(fleet):
    result = fleet.enqueue("Isle of Man", "--year", "2024", "--set", "model=v2-nano")
    assert result.returncode == ExitCode.DONE, result.stderr
    assert result.stderr.startswith("target: laptop cloud (127.0.0.1)\n")
    (job,) = list_jobs(fleet.store)
    assert job.dataset.startswith("tessera-v2-nano-2024-untrained-")
    assert read_status(fleet.store, job.id).status.state == "running"
    (land,) = fleet.store.names("boundaries/")
    assert fleet.store.read(land).data.startswith(b"fgb")
    assert len(drained(fleet.tiles)) == 18


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [("queues", r"queue t\w+-tiles: 404 QueueNotFound"), ("container", "404 ContainerNotFound")],
)
def test_a_missing_queue_or_container_is_one_sentence(make_fleet, missing, sentence):
    fleet = make_fleet(**{missing: False})
    result = fleet.enqueue("Malta")
    last = result.stderr.splitlines()[-1]
    assert result.returncode == ExitCode.BAD_INPUT
    assert re.search(sentence, last)
    assert "make the fleet's container and queues first" in last
    if missing == "queues":
        assert list(fleet.store.names("")) == []


@pytest.mark.parametrize("key", ["d3Jvbmc=", "not base64!"])
def test_wrong_credentials_are_one_sentence(fleet, key):
    result = fleet.enqueue("Malta", **{KEY_VARIABLE: key})
    assert result.returncode == ExitCode.BAD_INPUT, result.stderr
    assert "refuses us" in result.stderr.splitlines()[-1]
    assert key not in result.stderr
    assert list(fleet.store.names("")) == []
