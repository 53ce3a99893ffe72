"""Whole workers with their threads, on simulated storage: why they go, and that nothing holds them up."""

from __future__ import annotations

import threading
import time

import pytest

from consumer.exit_codes import ExitCode
from consumer.notices.signals import SignalNotice
from consumer.parts import build_worker
from consumer.work import Stage
from contract import artifact_names
from contract.artifact_names import HEARTBEATS_PREFIX, INTAKE_PAUSE
from contract.completion import completion
from contract.errors import BadInput, LeaseLost, StorageUnavailable
from contract.outcomes import Cause
from contract.simulated_faults import no_fault
from contract.tile_id import GridCell
from contract.tile_message import TileMessage, decode_message
from tests.unit.consumer.worker_rig import StepWorker, World

TILES = tuple(GridCell(541, -46 + n) for n in range(6))
LIMIT_SECONDS = 30
BESIDE_THE_WORK = {
    name.split("/")[0] for name in (HEARTBEATS_PREFIX, INTAKE_PAUSE, artifact_names.drain("vm"))
}


class Running:
    """A worker in a thread of the test's own."""

    def __init__(self, world: World, *, fault=no_fault, is_finished=None, most_received=None, **settings):
        quick = {
            "grace_seconds": 8.0,
            "idle_poll_seconds": 0.1,
            "heartbeat_seconds": 0.2,
            "ledger_seconds": 0.2,
        }
        self.signals = SignalNotice()
        self.parts = StepWorker(world, "w", fault, **{**quick, **settings}).parts
        self.ended_by_force: list[int] = []
        self.worker = build_worker(
            self.parts,
            signals=self.signals,
            is_finished=is_finished,
            most_received=most_received,
            end_process=self.ended_by_force.append,
        )
        self.answers: list[object] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.answers.append(self.worker.run())
        except BadInput as error:
            self.answers.append(error)

    def ask_to_go(self) -> None:
        self.signals.name, self.signals.received_at = "SIGTERM", time.monotonic()

    def end(self) -> object:
        self.thread.join(LIMIT_SECONDS)
        assert self.answers, "the worker did not end"
        return self.answers[0]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def until(condition, what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.01)


def free_messages(world: World):
    """What anybody could receive at this moment."""
    queues = world.queues
    return [decode_message(held.body) for q in (queues.tiles, queues.urgent) for held in q.receive(32, 1)]


def test_all_tiles_are_committed_and_the_worker_ends(world):
    job = world.ask(*TILES)
    running = Running(world, is_finished=lambda: completion(world.store, job.id).is_complete)
    assert running.end() is ExitCode.DONE
    assert completion(world.store, job.id).committed == len(TILES)
    assert world.depths() == (0, 0, 0)
    assert running.parts.budget.used_bytes == 0
    assert running.parts.state.busy.most_running == 1


@pytest.mark.slow
def test_a_stuck_worker_frees_its_other_tiles_and_leaves_the_stuck_one_to_its_lease(world):
    job = world.ask(*TILES, fault="stuck in infer")
    running = Running(world, infer_limit_seconds=0.5, lease_seconds=3, grace_seconds=6.0)
    assert running.end() is ExitCode.STUCK
    messages = free_messages(world)
    assert len(messages) == len(TILES) - 1
    assert all(message.tries == {} for message in messages)
    assert completion(world.store, job.id).committed == 0


@pytest.mark.slow
def test_a_recipe_that_never_returns_keeps_no_worker_from_leaving_in_time(world):
    world.ask(*TILES, fault="stuck in infer")
    running = Running(world)
    until(lambda: running.parts.state.busy.running == 1, "an inference")
    running.ask_to_go()
    assert running.end() is ExitCode.DONE
    assert running.ended_by_force == []  # it left before the last resort had to act
    assert len(free_messages(world)) == len(TILES)
    assert running.parts.keeper.held() == []


@pytest.mark.slow
def test_a_storage_that_swallows_requests_is_cut_off_at_the_deadline(world):
    """The hook hangs as a black-holed connection does; the last resort ends the process in its place."""
    swallows, go_on = threading.Event(), threading.Event()

    def fault(when, _operation, _name):
        if when == "before" and swallows.is_set():
            go_on.wait(LIMIT_SECONDS)

    world.ask(*TILES, infer_seconds="60")
    running = Running(world, fault=fault, grace_seconds=1.0)
    until(lambda: running.parts.state.busy.running == 1, "an inference")
    swallows.set()
    running.ask_to_go()
    until(lambda: running.ended_by_force, "the last resort")
    assert running.ended_by_force == [ExitCode.DONE]
    go_on.set()
    running.end()


def test_a_dead_side_thread_ends_the_worker_and_gives_its_tiles_back(world, monkeypatch, capsys):
    world.ask(*TILES, infer_seconds="60")
    running = Running(world, idle_poll_seconds=600)
    until(lambda: running.parts.state.busy.running == 1, "an inference")

    def die(_now):
        raise RuntimeError("out of the blue")

    monkeypatch.setattr(running.parts.keeper, "renew_due", die)
    assert running.end() is ExitCode.FAULT
    assert len(free_messages(world)) == len(TILES)
    assert "out of the blue" in capsys.readouterr().out


def test_what_nobody_foresaw_beside_the_work_ends_no_worker(world):
    """All workers of a fleet read the same few records: one of them must not end them all."""
    met = set()

    def fault(when, operation, name):
        beside = name.split("/")[0]
        if when == "before" and beside in BESIDE_THE_WORK:
            met.add((operation, beside))
            raise RuntimeError("nobody foresaw this")

    job = world.ask(*TILES)
    running = Running(
        world, fault=fault, is_finished=lambda: completion(world.store, job.id).is_complete and len(met) == 4
    )
    assert running.end() is ExitCode.DONE
    assert len(met) == 4  # the tail and the report, the drain, the pause


def test_a_storage_that_is_away_when_the_worker_looks_whether_all_is_done_is_no_end(world):
    looks = []

    def is_finished():
        looks.append(1)
        if len(looks) < 3:
            raise StorageUnavailable("away")
        return True

    assert Running(world, is_finished=is_finished).end() is ExitCode.DONE
    assert len(looks) == 3


def test_a_persons_mistake_is_said_after_leaving(world):
    def is_finished():
        raise BadInput("the asked list was changed")

    answer = Running(world, is_finished=is_finished).end()
    assert isinstance(answer, BadInput)


def test_a_suspect_waits_under_its_lease_until_it_is_alone(world):
    job = world.ask(*TILES)
    suspect = GridCell(541, 100)
    body = TileMessage(job.id, job.dataset, suspect, tries={Cause.SILENT_DEATH: 2}).encode()
    world.queues.urgent.send(body)
    company = []

    def note(_when, operation, name):
        if operation in {"read", "upload"} and f"/{suspect.path_name}/" in name:
            at_work = [w for w in running.parts.state.in_hand() if w.stage is not Stage.RECEIVED]
            company.append({w.message.tile for w in at_work})

    running = Running(
        world, fault=note, is_finished=lambda: completion(world.store, job.id).is_complete, most_tiles=4
    )
    assert running.end() is ExitCode.DONE
    assert company
    assert all(tiles == {suspect} for tiles in company)
    assert completion(world.store, job.id).committed == len(TILES)


def test_once_does_one_tile(world):
    job = world.ask(*TILES)
    assert Running(world, most_received=1).end() is ExitCode.DONE
    assert completion(world.store, job.id).committed == 1
    assert len(free_messages(world)) == len(TILES) - 1


def test_lost_leases_make_no_room_while_their_downloads_still_run(world):
    """A download that hangs occupies its thread, whoever has the lease meanwhile: no more are received."""
    world.ask(*TILES, download_seconds="60")
    running = Running(world, most_tiles=2)
    until(lambda: len(running.parts.keeper.held()) == 2, "two tiles")
    works = running.parts.keeper.held()
    for work in works:
        running.parts.keeper.release(work)
    assert running.worker._receiving.room() == 0
    for work in works:
        work.end_early(LeaseLost("somebody else has it"))
    until(lambda: not set(works) & set(running.parts.state.in_hand()), "both to end")
    running.ask_to_go()
    assert running.end() is ExitCode.DONE
    assert len(free_messages(world)) == len(TILES) - 2


def test_leases_are_freed_although_the_main_thread_waits_for_a_receive(world):
    """As after a storm of evictions, when every message received first has its past looked up."""
    swallows, waits, go_on = threading.Event(), threading.Event(), threading.Event()

    def fault(when, operation, _name):
        if (when, operation) == ("before", "receive") and swallows.is_set():
            waits.set()
            go_on.wait(LIMIT_SECONDS)

    world.ask(*TILES, infer_seconds="60")
    running = Running(world, fault=fault)
    running.parts.state.times.add(outside_seconds=3200, infer_seconds=100)
    until(lambda: len(running.parts.keeper.held()) == len(TILES), "all tiles")
    swallows.set()
    until(waits.is_set, "another receive")
    running.ask_to_go()
    until(lambda: len(running.parts.keeper.held()) <= 1, "all but the tile in inference to be free")
    assert not running.parts.state.departure  # the main thread has not heard yet
    go_on.set()
    assert running.end() is ExitCode.DONE
    assert len(free_messages(world)) == len(TILES)
