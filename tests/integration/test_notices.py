"""Notices and drains as they reach real workers: a supervisor, its slots, Azurite and a metadata service."""

from __future__ import annotations

import json
import os
import signal
import time

import psutil
import pytest

from consumer.exit_codes import ExitCode
from consumer.notices.signals import EXIT_AT_ONCE
from contract import log_lines
from contract.completion import completion
from contract.drain import request_drain
from contract.eviction import read_eviction
from contract.heartbeat import read_heartbeats
from contract.outcomes import Cause
from contract.tile_message import decode_message
from tests.fleet_rig import ISLE_OF_MAN_ROWS, FleetRig, stages_of, wait_for
from tests.metadata_rig import EVENTS, MetadataRig, metadata_service

pytestmark = pytest.mark.slow
VM, BOOT = "uk-west-3", "boot-7"
ONE_SLOT = ("--slots", "1")


@pytest.fixture
def service():
    with metadata_service() as rig:
        rig.be_azure(VM)
        yield rig


def start(rig: FleetRig, service: MetadataRig, *arguments: str, **environ: str):
    """A worker of the machine, watched by that service."""
    return rig.start_consumer(
        "w",
        *arguments,
        TILEFLEET_CONSUMER_NOTICES="azure",
        TILEFLEET_CONSUMER_METADATA_URL=service.url,
        TILEFLEET_CONSUMER_BOOT_ID=BOOT,
        **environ,
    )


def has_ended(process: psutil.Process) -> bool:
    """Gone, or a zombie that nobody awaited yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until_inferring(rig: FleetRig, worker: str) -> None:
    wait_for(lambda: "infer" in stages_of(rig, worker), "an inference")


def messages(queue) -> list:
    return [decode_message(held.body) for held in queue.receive(32, 5)]


def polls(service: MetadataRig) -> int:
    return sum(asked.path.startswith(EVENTS) for asked in service.asked)


def events_logged(rig: FleetRig, event: str) -> list[dict]:
    lines = [json.loads(line) for line in rig.log_of("w").splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two slots need two cores")
def test_thirty_seconds_before_a_preemption_every_slot_frees_its_tiles_and_the_boot_is_accounted_for(
    rig, service
):
    rig.enqueue(*ISLE_OF_MAN_ROWS, infer_seconds=100)
    supervisor = start(rig, service, "--slots", "2")
    for slot in ("w-s0", "w-s1"):
        until_inferring(rig, slot)
    service.announce("uk-west-4", "Preempt", 30, incarnation=2, now=time.time())
    seen = polls(service)
    wait_for(lambda: polls(service) >= seen + 2, "the notice for another machine to be read")
    assert supervisor.poll() is None
    held = sum(seen.heartbeat.held_count for seen in read_heartbeats(rig.store).seen)
    supervisor.send_signal(signal.SIGSTOP)
    service.announce(VM, "Preempt", 30, incarnation=3, now=time.time())
    before = heartbeat_of(rig, "w-s0")
    wait_for(
        lambda: heartbeat_of(rig, "w-s0") != before, "a slot to work on while its supervisor stands still"
    )
    supervisor.send_signal(signal.SIGCONT)
    assert supervisor.wait(40) == ExitCode.EVICTED
    evicted = messages(rig.queues.urgent)
    assert len(evicted) >= min(held, 4)
    assert all(message.tries == {Cause.EVICTED: 1} for message in evicted)
    assert len(evicted) + len(messages(rig.queues.tiles)) == 18
    eviction = read_eviction(rig.store, VM, BOOT)
    assert eviction is not None
    assert eviction.seen_by == "supervisor"
    assert "Preempt" in eviction.reason
    assert {(seen.heartbeat.vm, seen.heartbeat.boot_id) for seen in read_heartbeats(rig.store).seen} == {
        (VM, BOOT)
    }
    assert {line["reason"] for line in events_logged(rig, log_lines.WORKER_ENDED)} == {eviction.reason}


def leaving_with(rig: FleetRig, worker: str) -> tuple[str, int]:
    """Why it leaves, and how many tiles it still holds."""
    (beat,) = [seen.heartbeat for seen in read_heartbeats(rig.store).seen if seen.heartbeat.worker == worker]
    return beat.reason, beat.held_count


def heartbeat_of(rig: FleetRig, worker: str) -> object:
    (info,) = rig.store.listing(f"heartbeats/{worker}")
    return info.etag


def test_a_worker_without_a_supervisor_asks_the_cloud_itself(rig, service):
    rig.enqueue(*ISLE_OF_MAN_ROWS, infer_seconds=100)
    worker = start(rig, service)
    until_inferring(rig, "w")
    service.announce(VM, "Redeploy", 20, now=time.time())
    assert worker.wait(30) == ExitCode.EVICTED
    assert messages(rig.queues.urgent)
    eviction = read_eviction(rig.store, VM, BOOT)
    assert eviction is not None
    assert eviction.seen_by == "worker"


def test_a_drained_machine_finishes_what_it_infers_and_keeps_nothing_else(rig, service):
    job = rig.enqueue(*ISLE_OF_MAN_ROWS, infer_seconds=5)
    supervisor = start(rig, service, *ONE_SLOT)
    until_inferring(rig, "w-s0")
    request_drain(rig.store, VM, reason="by a test")
    assert supervisor.wait(40) == ExitCode.DONE
    committed = completion(rig.store, job).committed
    assert 1 <= committed <= 3
    assert len(messages(rig.queues.tiles)) == 18 - committed
    assert events_logged(rig, log_lines.WORKER_ENDED)[0]["reason"] == "drain"
    assert read_eviction(rig.store, VM, BOOT) is None


def test_a_person_drains_a_supervisor_through_its_halt_file_and_a_second_signal_ends_everything(rig, service):
    rig.enqueue(*ISLE_OF_MAN_ROWS, infer_seconds=100)
    halt = rig.folder / "halt.txt"
    supervisor = start(rig, service, *ONE_SLOT, TILEFLEET_CONSUMER_HALT_FILE=str(halt))
    until_inferring(rig, "w-s0")
    (slot,) = psutil.Process(supervisor.pid).children()
    halt.write_text('{"drain": true}')
    wait_for(lambda: leaving_with(rig, "w-s0") == ("drain", 1), "all but the tile in inference to be free")
    assert supervisor.poll() is None
    supervisor.send_signal(signal.SIGTERM)
    wait_for(lambda: events_logged(rig, "supervisor leaving")[-1]["reason"] == "SIGTERM", "the first signal")
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(20) == EXIT_AT_ONCE
    wait_for(lambda: has_ended(slot), "the slot to end", 20)
