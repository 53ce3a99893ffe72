"""How many workers one machine runs, and what each of them gets: cores, threads, memory, a GPU. Pure.

Why these numbers: docs/decisions/0008-slots.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import BadInput

AUTO = "auto"
MOST_CORES = 8
"""Of an automatic slot without a GPU: beyond it the threads of one process wait for each other more than they add."""
SMALL_MACHINE_CORES = 2
"""Up to here every core is a slot of its own."""
LEAST_MEMORY_BYTES = 4 * 1024**3
"""Of an automatic slot's budget for tiles: two at 10 m, each of up to 1.7 GB, with room to prepare them."""

LOST_GPU = "GPU-lost-"
"""Begins the name of a GPU that a machine should have and does not show: no driver finds it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One worker's share of the machine."""

    number: int
    cores: tuple[int, ...]
    """Ids of the cores that it is pinned to; no other slot has them."""
    memory_bytes: int
    """Most that it may hold in tiles."""
    gpu: str | None = None
    """As CUDA names it (an index or UUID); None: none."""

    @property
    def threads(self) -> int:
        """Of every pool in it: one per core."""
        return len(self.cores)


def plan_slots(
    asked: str,
    cores: Sequence[int],
    gpus: Sequence[str],
    memory_bytes: int,
    *,
    may_lack_gpus: bool = False,
) -> tuple[Slot, ...]:
    """The slots of a machine.

    asked: `auto`, or how many. cores: those that this process may use, neighbours beside each other.
    gpus: those that it may use; empty: inference runs on the CPU. memory_bytes: of all slots together.
    may_lack_gpus: slots without one are no mistake, but get one that is not there, and find themselves unfit.
    BadInput for anything else, for more slots than cores, and for more slots than GPUs.
    """
    count = wanted_slots(len(cores), len(gpus), memory_bytes) if asked == AUTO else _parsed(asked)
    if count > len(cores):
        raise BadInput(
            f"--slots {asked}: this process may use {len(cores)} cores, and a slot needs one at least"
        )
    if gpus and count > len(gpus) and not may_lack_gpus:
        raise BadInput(f"--slots {asked}: there are {len(gpus)} GPUs, and two slots on one only wait for it")
    return tuple(
        Slot(number, share, memory_bytes // count, _gpu_of(number, gpus) if gpus else None)
        for number, share in enumerate(_shares(cores, count))
    )


def wanted_slots(cores: int, gpus: int, memory_bytes: int) -> int:
    """One per GPU, else one per group of cores that the memory has room for; at least one."""
    if gpus:
        return min(gpus, cores)
    wanted = cores if cores <= SMALL_MACHINE_CORES else -(-cores // MOST_CORES)
    return max(1, min(wanted, memory_bytes // LEAST_MEMORY_BYTES))


def _gpu_of(number: int, gpus: Sequence[str]) -> str:
    return gpus[number] if number < len(gpus) else f"{LOST_GPU}{number}"


def _parsed(asked: str) -> int:
    try:
        count = int(asked)
    except ValueError:
        count = 0
    if count < 1:
        raise BadInput(f"--slots {asked!r} is neither auto nor a number of slots from 1 on")
    return count


def _shares(cores: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """Neighbouring cores stay together; shares differ by one core at most."""
    size, longer = divmod(len(cores), count)
    ends = [number * size + min(number, longer) for number in range(count + 1)]
    return [tuple(cores[start:end]) for start, end in itertools.pairwise(ends)]
