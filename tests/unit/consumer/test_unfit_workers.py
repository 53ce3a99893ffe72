"""Whole workers with their threads that become unfit: what they touched, and what they left to others."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from consumer.exit_codes import ExitCode
from consumer.fitness import Check
from contract.heartbeat import WorkerState, read_heartbeats
from contract.outcomes import Cause
from contract.tile_message import TileMessage
from laptop_cloud.toy_recipe import ToyRecipe
from tests.unit.consumer.test_worker_threads import TILES, Running, free_messages, until
from tests.unit.consumer.worker_rig import World

MOST_TOUCHED = 2


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def noted(messages: list[TileMessage]) -> int:
    """How many tiles know that a worker fell with them; none is charged for anything else."""
    assert all(set(message.tries) <= {Cause.WORKER} for message in messages)
    return sum(bool(message.tries) for message in messages)


def ends_unfit(world: World, **settings: object) -> str:
    """Run a worker to its end; the reason that its heartbeat gives."""
    running = Running(world, most_tiles=6, **settings)
    assert running.end() is ExitCode.UNFIT
    assert running.parts.keeper.held() == []
    (seen,) = read_heartbeats(world.store).seen
    assert seen.heartbeat.state is WorkerState.UNFIT
    messages = free_messages(world)
    assert len(messages) == len(TILES)
    assert 1 <= noted(messages) <= MOST_TOUCHED
    return seen.heartbeat.reason


def test_a_gpu_whose_every_result_is_wrong_is_found_after_two_tiles(world, monkeypatch):
    world.ask(*TILES)
    touched = []

    def infer(_self, prepared, *_others):
        touched.append(prepared.tile)
        raise ArithmeticError("NaN in the result")

    monkeypatch.setattr(ToyRecipe, "infer", infer)
    assert "two tiles in a row" in ends_unfit(world)
    assert len(touched) == MOST_TOUCHED


def test_a_gpu_that_fails_its_self_test_after_its_first_tile_is_found_by_it(world, monkeypatch):
    world.ask(*TILES)

    def selftest(_self):
        if touched:
            raise ArithmeticError("other numbers than known")

    def infer(_self, prepared, *_others):
        touched.append(prepared.tile)
        raise ArithmeticError("NaN in the result")

    touched: list[object] = []
    monkeypatch.setattr(ToyRecipe, "infer", infer)
    monkeypatch.setattr(ToyRecipe, "selftest", selftest)
    assert "the self-test fails" in ends_unfit(world)
    assert len(touched) == 1


@pytest.mark.slow
def test_a_disk_that_is_full_when_results_are_written_costs_two_tiles_at_most(world, monkeypatch):
    world.ask(*TILES)

    def write(*_arguments):
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"a result")

    monkeypatch.setattr(ToyRecipe, "write", write)
    assert "No space left" in ends_unfit(world)


@pytest.mark.slow
def test_a_disk_that_became_read_only_is_found_when_results_are_written(world, monkeypatch):
    world.ask(*TILES)

    def write(*_arguments):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(ToyRecipe, "write", write)
    assert "Read-only" in ends_unfit(world)


def test_memory_that_runs_out_in_inference_is_the_machines(world, monkeypatch):
    world.ask(*TILES)

    def infer(*_arguments):
        raise MemoryError

    monkeypatch.setattr(ToyRecipe, "infer", infer)
    assert "MemoryError" in ends_unfit(world)


def test_other_weights_than_the_dataset_pins_are_noted_in_no_tile(world, tmp_path):
    weights = tmp_path / "other.pt"
    weights.write_bytes(b"other")
    world.ask(*TILES)
    running = Running(world, weights=weights)
    assert running.end() is ExitCode.UNFIT
    assert "wrong weights" in running.parts.state.unfit
    assert noted(free_messages(world)) == 0


def test_a_machine_that_fails_between_two_tiles_infers_no_other_one(world):
    """The look comes while one tile is inferred and the others are ready: none of them is begun on that machine."""
    world.ask(*TILES, infer_seconds="60")
    running = Running(world, most_tiles=6)
    until(lambda: running.parts.state.busy.running == 1, "an inference")
    watch = replace(running.parts.health, look=lambda: [Check("ECC", "3", "0", is_ok=False)], pause_seconds=0)
    watch.run(threading.Event())
    assert running.end() is ExitCode.UNFIT
    messages = free_messages(world)
    assert len(messages) == len(TILES)
    assert noted(messages) == 1
    assert list(world.store.names("staging/")) == []


@pytest.mark.slow
def test_a_tile_that_hangs_in_a_failing_gpu_is_noted_although_nothing_ends_it(world):
    """Else a tile that hangs one machine after the other would never be the suspect."""
    world.ask(*TILES, fault="stuck in infer")
    running = Running(world, most_tiles=6, grace_seconds=6.0)
    until(lambda: running.parts.state.busy.running == 1, "an inference")
    watch = replace(
        running.parts.health, look=lambda: [Check("GPU", "no answer", "one", is_ok=False)], pause_seconds=0
    )
    watch.run(threading.Event())
    assert running.end() is ExitCode.UNFIT
    messages = free_messages(world)
    assert len(messages) == len(TILES)
    assert noted(messages) == 1
