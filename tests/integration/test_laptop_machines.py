"""Machines that are taken away, stand still, fill up and fall sick, with real consumers on real storage."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.completion import completion
from contract.heartbeat import read_heartbeats
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue
from laptop_cloud.machines import sessions
from laptop_cloud.machines.fleet import Template, fleet
from laptop_cloud.machines.power import PowerState
from laptop_cloud.machines.temporary_disk import can_be_small
from tests.fleet_rig import JOB_LINE, wait_for

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
ONE_TILE = "bbox:-4.6,54.1,-4.5,54.2"


class Watched:
    """A fleet, and what a test asks of it."""

    def __init__(self, running):
        self.running = running
        self.clients = AzureClients(storage_endpoints(running.direct))
        self.store = AzureBlobStore(self.clients)
        self.vm = running.room.vms["vm-1"]

    def enqueue(self, **settings):
        sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        command = [sys.executable, "-m", "producer", "enqueue", ONE_TILE, "--year", "2024", "--recipe", "toy"]
        done = subprocess.run(
            [*command, *sets],
            env=dict(self.running.environ),
            text=True,
            timeout=60,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return JOB_LINE.search(done.stdout).group(1)

    def is_inferring(self):
        return any(
            held.stage == "infer"
            for seen in read_heartbeats(self.store).seen
            for held in seen.heartbeat.tiles
        )

    def await_inference(self):
        wait_for(self.is_inferring, "an inference", 60)

    def await_end(self, ended):
        wait_for(lambda: self.vm.consumer_says == f"ended ({ended})", f"{ended}: {self.log()}", 60)

    def lose_no_time(self):
        """Whoever is ready for an eviction may say so, and is taken at once."""
        events = self.running.room.events
        for event in events.document("vm-1")["Events"]:
            events.approve("vm-1", event["EventId"])

    def queue(self, kind):
        return AzureTileQueue(self.clients, getattr(queue_names(self.running.direct.name), kind))

    def log(self):
        return self.vm.log_path.read_text(errors="replace")


@pytest.fixture
def start(azurite, tmp_path):
    """A fleet of one VM without a relay, by what it was ordered as."""
    with ExitStack() as stack:
        yield lambda **order: Watched(
            stack.enter_context(
                fleet(azurite, tmp_path / "fleet", 1, template=Template(**order), relay=False)
            )
        )


def processes_of(folder):
    return [
        process
        for process in psutil.process_iter(["environ", "status"])
        if (process.info["environ"] or {}).get("TILEFLEET_LAPTOP") == str(folder)
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_an_evicted_vm_puts_its_tile_among_the_urgent_and_comes_back_as_another_boot_with_an_empty_disk(
    start,
):
    fleet = start()
    fleet.enqueue(infer_seconds=60)
    fleet.await_inference()
    first, disk = fleet.vm.boot, Path(f"/proc/{fleet.vm.consumer_pid}/root{fleet.vm.scratch}")
    (disk / "left behind").write_text("pixels")
    eviction = fleet.running.room.evict("vm-1", 12)
    fleet.await_end(20)
    fleet.lose_no_time()
    eviction.join(60)
    assert fleet.vm.power == PowerState.DEALLOCATED
    assert '"reason": "azure: Preempt' in fleet.log()
    assert (fleet.queue("urgent").depth(), fleet.queue("tiles").depth()) == (1, 0)
    fleet.vm.start()
    assert (fleet.vm.boot.number, fleet.vm.boot.id != first.id) == (2, True)
    disk = Path(f"/proc/{fleet.vm.consumer_pid}/root{fleet.vm.scratch}")
    wait_for((disk / "vm-1-s0").exists, "the slot's folder", 30)
    assert not (disk / "left behind").exists()


def test_a_vm_evicted_without_notice_dies_with_its_slots_and_says_nothing(start):
    fleet = start()
    fleet.enqueue(infer_seconds=60)
    fleet.await_inference()
    session = fleet.vm.consumer_pid
    assert len(sessions.members(session)) >= 2
    fleet.running.room.evict("vm-1", None).join(60)
    assert fleet.vm.power == PowerState.DEALLOCATED
    assert sessions.members(session) == set()
    assert "leaving" not in fleet.log()
    assert (fleet.queue("urgent").depth(), fleet.queue("tiles").depth()) == (0, 1)


def test_a_frozen_vm_stands_still_with_all_its_slots_and_finishes_when_it_is_thawed(start):
    fleet = start()
    job = fleet.enqueue(infer_seconds=2)
    fleet.await_inference()
    fleet.vm.freeze()
    members = sessions.members(fleet.vm.consumer_pid)
    assert {psutil.Process(pid).status() for pid in members} == {psutil.STATUS_STOPPED}
    assert fleet.vm.consumer_says == "frozen"
    fleet.vm.thaw()
    wait_for(lambda: completion(fleet.store, job).is_complete, "the tile", 60)


def test_a_vm_with_a_full_disk_says_unfit_and_gets_an_empty_one_with_the_next_boot(start, tmp_path):
    if not can_be_small(tmp_path / "probe"):
        pytest.skip("this kernel lets an ordinary user mount nothing")
    fleet = start()
    job = fleet.enqueue(infer_seconds=4)  # the disk is full before it ends, on a busy machine too
    fleet.await_inference()
    fleet.vm.fill()
    fleet.await_end(21)
    assert "No space left on device" in fleet.log()
    assert fleet.vm.power == PowerState.RUNNING
    fleet.vm.deallocate()
    fleet.vm.start()
    wait_for(lambda: completion(fleet.store, job).is_complete, "the tile", 60)


def test_a_vm_whose_gpu_counts_errors_touches_no_tile_until_it_is_on_another_host(start):
    fleet = start(has_gpu=True)
    fleet.vm.deallocate()
    fleet.vm.sicken()
    fleet.vm.start()
    fleet.await_end(21)
    assert "ECC Laptop GPU: 1 uncorrected" in fleet.log()
    fleet.vm.deallocate()
    job = fleet.enqueue(infer_seconds=0)
    fleet.vm.start()
    wait_for(lambda: completion(fleet.store, job).is_complete, "the tile", 60)


def test_a_consumer_that_was_killed_starts_again_where_the_vm_was_ordered_so(start):
    fleet = start(restart_seconds=0.1)
    first = fleet.vm.consumer_pid
    fleet.vm.kill()
    assert fleet.vm.power == PowerState.RUNNING
    wait_for(lambda: fleet.vm.consumer_pid not in {None, first}, "another consumer", 30)
    assert fleet.vm.boot.number == 1


def test_nothing_of_a_laptop_cloud_outlives_its_own_kill_minus_nine_not_even_what_was_frozen(
    azurite, tmp_path
):
    folder = tmp_path / "fleet"
    code = (
        "import signal; from pathlib import Path\n"
        "from laptop_cloud.machines.sessions import members\n"
        "from tests.fleet_rig import wait_for\n"
        "from laptop_cloud.azurite import Endpoints\n"
        "from laptop_cloud.machines.fleet import Template, fleet\n"
        f"with fleet({azurite!r}, Path({str(folder)!r}), 2, template=Template(slots=2)) as running:\n"
        "    vm = running.room.vms['vm-2']\n"
        "    wait_for(lambda: len(members(vm.consumer_pid)) == 3, 'a supervisor and two slots')\n"
        "    vm.freeze()\n"
        "    print('up', flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"up\n"
        wait_for(lambda: len(processes_of(folder)) >= 4, "supervisors and slots", 60)
        parent.kill()
    wait_for(lambda: processes_of(folder) == [], "all of it to end", 60)
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])
    ]
