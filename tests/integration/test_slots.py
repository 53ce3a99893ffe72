"""The supervisor and its slots as processes on real storage: shared work, a killed slot, leaving, shares."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress

import psutil
import pytest

from consumer.exit_codes import ExitCode
from consumer.thread_caps import POOLS
from contract.commit import read_commit
from contract.completion import completion
from contract.heartbeat import read_heartbeats
from contract.job_store import asked_tiles, read_asked, read_job
from tests.fleet_rig import ISLE_OF_MAN_ROWS, FleetRig, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two slots need two cores"),
]


def slots_of(supervisor) -> dict[int, psutil.Process]:
    """Its running slots by number."""
    found = {}
    for child in psutil.Process(supervisor.pid).children():
        with suppress(psutil.NoSuchProcess):  # one that was just killed, and is not awaited yet
            words = child.cmdline()
            if "--slot" in words:
                found[int(words[words.index("--slot") + 1])] = child
    return found


def masks_of_threads(process: psutil.Process) -> set[frozenset[int]]:
    """The cores that its threads may use, as far as they live long enough to tell."""
    masks = set()
    for thread in process.threads():
        with suppress(ProcessLookupError):
            masks.add(frozenset(os.sched_getaffinity(thread.id)))
    return masks


def holding(rig: FleetRig, slot: str) -> set[str]:
    """Stages in which that slot's worker holds tiles."""
    return {
        held.stage
        for seen in read_heartbeats(rig.store).seen
        if seen.heartbeat.worker == slot
        for held in seen.heartbeat.tiles
    }


def workers_of(rig: FleetRig, job_id: str) -> set[str]:
    """Whose attempts became the job's results."""
    job = read_job(rig.store, job_id)
    commits = [
        read_commit(rig.store, job.dataset, tile, 1) for tile in asked_tiles(read_asked(rig.store, job))
    ]
    return {commit.record.done["worker"] for commit in commits if commit is not None}


def lines(rig: FleetRig, name: str, event: str) -> list[dict]:
    found = [json.loads(line) for line in rig.log_of(name).splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def test_two_slots_share_a_job_and_one_that_is_killed_is_started_again(rig):
    job = rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=0.3, infer_seconds=0.8)
    supervisor = rig.start_consumer("vm", "--slots", "2", "--until-empty")
    # Looked at before the kill: on a slow machine the other slot may do all the rest meanwhile.
    wait_for(lambda: workers_of(rig, job) == {"vm-s0", "vm-s1"}, "a tile of each slot")
    victim, other = slots_of(supervisor)[0], slots_of(supervisor)[1]
    victim.send_signal(signal.SIGKILL)
    wait_for(lambda: slots_of(supervisor).get(0, victim).pid != victim.pid, "the slot to be started again")
    assert slots_of(supervisor)[1].pid == other.pid
    assert supervisor.wait(120) == ExitCode.DONE
    assert completion(rig.store, job).committed == 18
    (death,) = [line for line in lines(rig, "vm", "slot ended") if line["ended"] == "SIGKILL"]
    assert death["slot"] == 0
    assert death["then"] == "starts again in 1 s"
    assert death["last_lines"]


def test_each_slot_is_pinned_and_capped_to_its_share(rig):
    supervisor = rig.start_consumer("vm", "--slots", "2", "--memory", "2G")
    wait_for(lambda: len(read_heartbeats(rig.store).seen) == 2, "both slots to have started their threads")
    slots = slots_of(supervisor)
    masks = {number: os.sched_getaffinity(slot.pid) for number, slot in slots.items()}
    assert not masks[0] & masks[1]
    assert masks[0] | masks[1] == os.sched_getaffinity(0)
    assert os.sched_getaffinity(supervisor.pid) == os.sched_getaffinity(0)
    for number, slot in slots.items():
        environ = slot.environ()
        assert {environ[pool] for pool in POOLS} == {str(len(masks[number]))}
        assert environ["TILEFLEET_CONSUMER_THREADS"] == str(len(masks[number]))
        assert environ["TILEFLEET_CONSUMER_MEMORY_BYTES"] == str(1024**3)
        # Threads that libraries started while they were imported are pinned, too.
        assert masks_of_threads(slot) == {frozenset(masks[number])}


def test_sigterm_ends_the_supervisor_and_all_slots_in_order(rig):
    job = rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=30)
    supervisor = rig.start_consumer("vm", "--slots", "2", "--grace", "20")
    wait_for(lambda: holding(rig, "vm-s0") and holding(rig, "vm-s1"), "tiles in both slots")
    slots = slots_of(supervisor).values()
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(30) == ExitCode.DONE
    assert not any(slot.is_running() for slot in slots)
    assert len(rig.queues.tiles.receive(32, 5)) == 18
    assert completion(rig.store, job).committed == 0
    assert len(lines(rig, "vm", "worker ended")) == 2


def test_a_halt_file_seen_by_the_supervisor_evicts_every_slot(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=30)
    halt = rig.folder / "halt.txt"
    supervisor = rig.start_consumer("vm", "--slots", "2", TILEFLEET_CONSUMER_HALT_FILE=str(halt))
    wait_for(lambda: holding(rig, "vm-s0") and holding(rig, "vm-s1"), "tiles in both slots")
    halt.touch()
    assert supervisor.wait(60) == ExitCode.EVICTED
    assert len(rig.queues.urgent.receive(32, 5)) == 4


def test_slots_leave_when_their_supervisor_is_killed(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=30)
    supervisor = rig.start_consumer("vm", "--slots", "2")
    wait_for(lambda: holding(rig, "vm-s0") and holding(rig, "vm-s1"), "tiles in both slots")
    slots = list(slots_of(supervisor).values())
    supervisor.kill()
    supervisor.wait(20)
    wait_for(lambda: not any(slot.is_running() for slot in slots), "the slots to leave", 40)
    assert len(rig.queues.tiles.receive(32, 5)) == 18


def test_an_unfit_slot_stays_down_and_gives_the_supervisor_its_status(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS, fault="worker")
    supervisor = rig.start_consumer("vm", "--slots", "2")
    assert supervisor.wait(60) == ExitCode.UNFIT
    ended = lines(rig, "vm", "slot ended")
    assert [line["then"] for line in ended] == ["stays down"] * 2
    assert {line["ended"] for line in ended} == {"unfit (21)"}


def test_a_slot_that_dies_for_the_third_time_stays_down(rig):
    rig.enqueue("bbox:-4.6,54.1,-4.5,54.2", fault="kill in prepare")
    supervisor = rig.start_consumer(
        "vm", "--slots", "1", TILEFLEET_CONSUMER_LEASE_SECONDS="3", TILEFLEET_CONSUMER_IDLE_POLL_SECONDS="0.2"
    )
    assert supervisor.wait(120) == ExitCode.FAULT
    ended = lines(rig, "vm", "slot ended")
    assert [line["then"] for line in ended] == ["starts again in 1 s", "starts again in 10 s", "stays down"]


@pytest.mark.parametrize(("asked", "words"), [("many", "neither auto nor"), ("9999", "cores")])
def test_slots_that_cannot_be_end_with_one_sentence(rig, asked, words):
    output = rig.type("consumer", "run", "--slots", asked, status=2)
    (sentence,) = [line for line in output.splitlines() if line.startswith("consumer: ")]
    assert words in sentence
