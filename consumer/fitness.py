"""Is this machine fit to work: disk, memory, clock, GPUs. Looks only; quick enough to run before every start.

Each check says what it found and what it wanted, so that a person can judge the judgement. Whether the
recipe's numbers come out right is the recipe's own self-test (consumer/recipe.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from consumer.gpus import Gpu, GpuLook, hardware_xids

LEAST_DISK_BYTES = 1_000_000_000
"""Free where artifacts wait for their upload: several full-size tiles of 120 MB at once."""
LEAST_MEMORY_BYTES = 500_000_000
"""Available at the start, whatever may be held later: the programs themselves and one small tile."""
LEAST_MEMORY_LEFT_BYTES = 100_000_000
"""Available while tiles are worked on: below it the kernel soon kills somebody, who cannot hand anything back."""
MOST_CLOCK_SECONDS = 60.0
"""Away from the storage's clock. Signatures and tokens fail at minutes; synchronised clocks keep to
milliseconds, and the storage's date has whole seconds."""
PROBE_BYTES = 4096
BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
CGROUP_FOLDER = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    found: str
    wanted: str
    is_ok: bool | None
    """None: could not be told, which nobody is unfit for."""

    @property
    def sentence(self) -> str:
        return f"{self.name}: {self.found}, wanted {self.wanted}"


def why_unfit(checks: Iterable[Check]) -> str:
    """The reasons in words; empty for a machine that is fit."""
    return "; ".join(check.sentence for check in checks if check.is_ok is False)


def check_disk(name: str, folder: Path, *, least_bytes: int = LEAST_DISK_BYTES) -> Check:
    """Can a file be written there and read back, and is there room?"""
    wanted = f"writable, {_gigabytes(least_bytes)} free" if least_bytes else "writable"
    probe = folder / f".probe-{os.getpid()}"
    content = os.urandom(PROBE_BYTES)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            is_same = probe.read_bytes() == content
        finally:
            probe.unlink(missing_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(name, f"{folder}: {error.strerror}", wanted, is_ok=False)
    if not is_same:
        return Check(name, f"{folder} gives back other bytes than were written", wanted, is_ok=False)
    return Check(name, f"{folder} has {_gigabytes(free)} free", wanted, is_ok=free >= least_bytes)


def check_memory(available_bytes: int | None = None, *, least_bytes: int = LEAST_MEMORY_BYTES) -> Check:
    """Is there memory to go on with? `available_bytes`: as measured, unless given."""
    available = available_memory_bytes() if available_bytes is None else available_bytes
    return Check(
        "memory",
        f"{_gigabytes(available)} available",
        f"{_gigabytes(least_bytes)} at least",
        is_ok=available >= least_bytes,
    )


def available_memory_bytes(cgroup: Path = CGROUP_FOLDER) -> int:
    """What can be had without swapping: of the machine, or of the container's limit where that is less."""
    available = int(psutil.virtual_memory().available)
    try:
        limit = int((cgroup / "memory.max").read_text(encoding="ascii"))
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no limit is written as "max"
        return available
    return min(available, max(0, limit - used))


def check_clock(ours: datetime, storages: datetime | None) -> Check:
    """Is our clock right, by the storage's? None: no fleet to ask."""
    wanted = f"within {MOST_CLOCK_SECONDS:g} s of the storage's"
    if storages is None:
        return Check("clock", "not checked: no fleet is chosen", wanted, is_ok=None)
    seconds = (ours - storages).total_seconds()
    return Check("clock", f"{seconds:+.1f} s", wanted, is_ok=abs(seconds) <= MOST_CLOCK_SECONDS)


def check_gpus(look: GpuLook, log: str | None) -> list[Check]:
    """For inference on a GPU: the counters of each, and what the kernel reported of them."""
    if look.trouble or not look.gpus:
        return [Check("GPU", look.trouble or "none", "one that answers", is_ok=False)]
    return [*(_check_ecc(gpu) for gpu in look.gpus), _check_xids(look.gpus, log)]


def _check_ecc(gpu: Gpu) -> Check:
    name, wanted = f"ECC {gpu.name}", "no uncorrected memory error"
    if gpu.is_retirement_pending:
        return Check(name, "memory pages wait to be retired", wanted, is_ok=False)
    if gpu.uncorrected_errors is None:
        return Check(name, "not counted by this GPU", wanted, is_ok=None)
    return Check(name, f"{gpu.uncorrected_errors} uncorrected", wanted, is_ok=gpu.uncorrected_errors == 0)


def _check_xids(gpus: Iterable[Gpu], log: str | None) -> Check:
    wanted = "no failing hardware in the kernel's log"
    if log is None:
        return Check("Xid", "the kernel's log may not be read", wanted, is_ok=None)
    found = hardware_xids(log, gpus)
    return Check("Xid", ", ".join(found[-3:]) or "none", wanted, is_ok=not found)


def check_device(device: str, flags: Iterable[str], cores: int) -> Check:
    """What inference will run on. Slow is not unfit: the speed is the benchmark's business."""
    if device != "cpu":
        return Check("device", device, "a GPU", is_ok=True)
    bf16 = sorted(set(flags) & BF16_FLAGS)
    found = (
        f"cpu, {cores} cores, bf16 by {', '.join(bf16)}" if bf16 else f"cpu, {cores} cores, bf16 is slow here"
    )
    return Check("device", found, "a CPU", is_ok=True)


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """What the processor can do, by the kernel's names; empty where it does not tell."""
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return line.partition(":")[2].split()


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
