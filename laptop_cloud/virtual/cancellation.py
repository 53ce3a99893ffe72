"""How long a fleet takes to clear a cancelled job off its queues, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass

from contract.job import JobState
from laptop_cloud.virtual.fleet import run
from laptop_cloud.virtual.scenario import Durations, Scenario
from laptop_cloud.virtual.world import World

BUSY_SECONDS = 900.0
"""When the job is cancelled: every worker is in the middle of a tile by then."""
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A job that was cancelled while its fleet worked on it."""

    messages: int
    """On the queues at that moment."""
    seconds_until_gone: float
    """Until the last message was; of tiles that were in hand, too."""
    seconds_until_few: float
    """Until no more were left than the workers can hold."""


def cancel_a_job(messages: int, *, vms: int, infer_seconds: float, seed: int) -> Cancellation:
    """Ask for so many tiles, let the fleet begin, cancel, and wait. Each request takes 20 to 60 ms; nobody is
    evicted."""
    scenario = Scenario(tiles=messages, vms=vms, durations=Durations(infer=infer_seconds))
    seen: list[Cancellation] = []

    def prepare(world: World) -> None:
        world.kernel.spawn(world.kernel.host, lambda: _cancel(world, vms, seen))

    run(scenario, seed, prepare=prepare)
    return seen[0]


def _cancel(world: World, vms: int, seen: list[Cancellation]) -> None:
    kernel, queues = world.kernel, world.queues()

    def left() -> int:
        return queues.tiles.depth() + queues.urgent.depth()

    kernel.sleep(BUSY_SECONDS)
    messages, began = left(), kernel.now
    world.set_state(world.job, JobState.CANCELLED)
    while left() > 2 * vms:
        kernel.sleep(LOOK_SECONDS)
    few_at = kernel.now
    while left():
        kernel.sleep(LOOK_SECONDS)
    seen.append(Cancellation(messages, kernel.now - began, few_at - began))
