"""A worker whose toy tiles have blocks, interrupted where a test says, over simulated storage."""

from __future__ import annotations

import hashlib

from consumer.work import Work
from contract import artifact_names
from contract.errors import Stopped
from contract.job import Job
from tests.unit.consumer.worker_rig import TILE, StepWorker, World

BLOCKS = 6
BLOCKWISE = {"blocks": str(BLOCKS), "block_bytes": "1000"}


def ask(world: World, **settings: str) -> Job:
    return world.ask(**{**BLOCKWISE, **settings})


def take(worker: StepWorker) -> Work:
    """The one tile that waits, prepared."""
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    return work


def stop_after(work: Work, blocks: int) -> None:
    """Ask the attempt to end once so many blocks are finished."""
    finish = work.blocks.finish

    def finish_and_look(*buffers: memoryview) -> None:
        finish(*buffers)
        if work.blocks.finished == blocks:
            work.end_early(Stopped(f"{work.tile_name}: evicted by the test"))

    work.blocks.finish = finish_and_look


def infer(worker: StepWorker, work: Work) -> None:
    try:
        worker.parts.steps.infer(work)
    except Stopped as error:
        work.error = error


def finish(worker: StepWorker, work: Work) -> Work:
    """Inference, upload and settling of a tile that was taken."""
    infer(worker, work)
    if work.error is None:
        worker.parts.steps.upload(work)
    worker.parts.steps.settle(work)
    return work


def interrupt(world: World, name: str, blocks: int, **settings: object) -> Work:
    """One worker takes the tile, is evicted once so many blocks are finished, and hands it back."""
    worker = StepWorker(world, name, **settings)
    worker.parts.state.is_evicted.set()
    work = take(worker)
    stop_after(work, blocks)
    return finish(worker, work)


def checkpoints_of(world: World, job: Job, generation: int = 1) -> list[str]:
    """Attempt and blocks of each, as they are listed."""
    prefix = artifact_names.checkpoints_prefix(job.dataset, TILE, generation)
    return [name.removeprefix(prefix) for name in world.names(prefix)]


def undisturbed(job: Job) -> bytes:
    """What the toy's file holds when nothing interrupts it."""

    def digest(suffix: str) -> bytes:
        return hashlib.sha256(f"{job.dataset} {TILE.name}{suffix}".encode()).digest()

    blocks = b"".join((digest(f" {number}") * 32)[:1000] for number in range(BLOCKS))
    return (hashlib.sha256(blocks).digest() * 4)[:100]


def complete(world: World, name: str = "last") -> Work:
    """Another worker takes the tile and nobody stops it."""
    worker = StepWorker(world, name)
    return finish(worker, take(worker))


def assert_as_undisturbed(world: World, job: Job) -> None:
    assert set(world.published(job).values()) == {undisturbed(job)}
