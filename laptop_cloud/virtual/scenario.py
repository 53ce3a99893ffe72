"""What a virtual fleet is asked to do and what goes wrong meanwhile: one frozen value per kind of day."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Nature(StrEnum):
    """What a tile does to whoever works on it."""

    GOOD = "good"
    EMPTY = "empty"
    """No usable imagery: committed without artifacts."""
    FLAKY = "flaky source"
    """Its source fails a few times before it answers."""
    BAD = "bad data"
    """Fails in the same way each time."""
    KILLER = "kills its worker"
    HARMFUL = "makes its worker unfit"


@dataclass(frozen=True, slots=True)
class Durations:
    """Median seconds of a tile's stages; each tile draws its own, once, within a quarter of them."""

    download: float = 136.0
    prepare: float = 4.0
    infer: float = 262.0
    write: float = 2.0


@dataclass(frozen=True, slots=True)
class Evictions:
    """How the cloud takes machines away, and gives them back."""

    per_vm_hour: float = 0.0
    notice_seconds: tuple[float, ...] = (30.0,)
    """Each eviction draws one of them; 0: none."""
    batch_share: float = 0.0
    """Share of the evictions that take up to half of the fleet at once."""
    restart_seconds: float = 180.0
    """Mean time until a deallocated machine is started again."""


@dataclass(frozen=True, slots=True)
class StorageTrouble:
    """How the storage misbehaves."""

    latency_seconds: tuple[float, float] = (0.02, 0.06)
    """Each request draws its own between these."""
    refused_share: float = 0.0
    """Requests that never arrive."""
    lost_answer_share: float = 0.0
    """Requests whose effect is there and whose answer is not."""
    outages_per_day: float = 0.0
    slow_spells_per_day: float = 0.0
    """For minutes every request takes seconds."""


@dataclass(frozen=True, slots=True)
class MachineTrouble:
    """What goes wrong in a machine, per VM-hour of work, and with what it is asked to do."""

    crashes_per_vm_hour: float = 0.0
    """kill -9 of the worker, at a moment of its own."""
    crashes_per_write: float = 0.0
    """The same at a request that changes something: before or after its effect."""
    freezes_per_vm_hour: float = 0.0
    """Stopped for longer than a lease, then goes on."""
    sick_share: float = 0.0
    """Boots of machines whose GPU fails every tile until it is moved to another host."""
    full_disk_share: float = 0.0
    clock_jump_share: float = 0.0
    """Boots whose wall clock is off by minutes or hours."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run of a virtual fleet, but for its seed."""

    tiles: int
    vms: int = 20
    durations: Durations = field(default_factory=Durations)
    evictions: Evictions = field(default_factory=Evictions)
    storage: StorageTrouble = field(default_factory=StorageTrouble)
    machines: MachineTrouble = field(default_factory=MachineTrouble)
    natures: tuple[tuple[Nature, float], ...] = ()
    """Shares of tiles that are not good."""
    duplicate_share: float = 0.0
    """Tiles whose message is there twice."""
    redone_share: float = 0.0
    """Tiles whose result is revoked while the fleet works, and asked again."""
    hostile_messages: int = 0
    blocks: int = 4
    """Parts of a tile's inference, after each of which it may be gone on from."""
    boot_seconds: float = 120.0
    lease_seconds: int = 90
    longest_days: float = 365.0
    """By when it must have ended, or it never does."""

    @property
    def has_unexplained_silence(self) -> bool:
        """Whether an attempt may fall silent, as far as others can tell, without an eviction that explains it."""
        storage, machines = self.storage, self.machines
        return any(
            (
                *(storage.refused_share, storage.lost_answer_share, storage.outages_per_day),
                *(storage.slow_spells_per_day, machines.crashes_per_vm_hour, machines.crashes_per_write),
                machines.freezes_per_vm_hour,
            )
        )


def bad_days(tiles: int, *, evictions_per_vm_hour: float = 0.5) -> Scenario:
    """Everything at once, and more often than any cloud would: what the laws are tried against.

    Tiles are shorter than real ones, so that more of them meet each other's trouble in a second of our time.
    """
    return Scenario(
        tiles=tiles,
        vms=min(20, max(4, tiles // 50)),
        durations=Durations(download=30.0, prepare=2.0, infer=40.0, write=1.0),
        evictions=Evictions(evictions_per_vm_hour, notice_seconds=(30.0, 8.0, 0.0), batch_share=0.1),
        storage=StorageTrouble(
            refused_share=0.001, lost_answer_share=0.001, outages_per_day=6.0, slow_spells_per_day=6.0
        ),
        machines=MachineTrouble(
            crashes_per_vm_hour=0.05,
            crashes_per_write=0.0002,
            freezes_per_vm_hour=0.1,
            sick_share=0.03,
            full_disk_share=0.02,
            clock_jump_share=0.1,
        ),
        natures=(
            (Nature.EMPTY, 0.02),
            (Nature.FLAKY, 0.02),
            (Nature.BAD, 0.005),
            (Nature.KILLER, 0.001),
            (Nature.HARMFUL, 0.001),
        ),
        duplicate_share=0.01,
        redone_share=0.005,
        hostile_messages=10,
    )


def steady_days(
    tiles: int, *, evictions_per_vm_hour: float, notice_seconds: float, has_checkpoints: bool
) -> Scenario:
    """Hour-long tiles, and nothing goes wrong but evictions: what goodput is measured on."""
    return Scenario(
        tiles=tiles,
        durations=Durations(infer=3600.0),
        evictions=Evictions(evictions_per_vm_hour, notice_seconds=(notice_seconds,)),
        blocks=60 if has_checkpoints else 1,  # a block of a minute; a tile of one block leaves no checkpoint
    )
