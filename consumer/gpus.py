"""The machine's NVIDIA GPUs and what their counters say, as `nvidia-smi` and the kernel's log tell it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.errors import BadInput

QUERY_SECONDS = 20.0
"""A healthy driver answers within one or two; one whose GPU hangs may never."""
KILL_SECONDS = 1.0
"""For a killed process to be gone, where it can be killed."""
FIELDS = (
    "uuid",
    "name",
    "pci.bus_id",
    "memory.total",
    "ecc.errors.uncorrected.volatile.total",
    "retired_pages.pending",
)
KERNEL_LOG = Path("/dev/kmsg")
KERNEL_RECORD_BYTES = 8192
HARDWARE_XIDS = frozenset({48, 62, 64, 74, 79, 92, 94, 95, 119, 120})
"""NVIDIA's Xid numbers for a GPU that fails (memory errors, lost from the bus, firmware that stopped); the
others, such as 13, 31 and 43, are mostly a program's own fault."""
_XID = re.compile(r"NVRM: Xid \(([^)]*)\): (\d+)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment."""

    uuid: str
    name: str
    bus_id: str
    """PCI address as the kernel's log writes it: `0000:65:00`."""
    memory_bytes: int | None
    uncorrected_errors: int | None
    """Memory errors that ECC saw and could not correct since the driver was loaded; None: not counted."""
    is_retirement_pending: bool
    """Memory pages wait to be taken out of use: the GPU wants a reset."""


@dataclass(frozen=True, slots=True)
class GpuLook:
    """What one look found; `trouble` when it found nothing although it should have."""

    gpus: tuple[Gpu, ...]
    trouble: str = ""


def look_at_gpus() -> GpuLook:
    """All GPUs of the machine. A machine without the tool has none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return GpuLook(())
    arguments = (f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits")
    try:
        answer = ask_driver(tool, arguments, QUERY_SECONDS)
    except subprocess.TimeoutExpired:
        return GpuLook((), f"nvidia-smi did not answer within {QUERY_SECONDS:g} s")
    except OSError as error:
        return GpuLook((), f"nvidia-smi could not be run: {error.strerror}")
    if answer.returncode != 0:
        said = answer.stdout.strip().splitlines()
        return GpuLook((), f"nvidia-smi ended with status {answer.returncode}: {' '.join(said)[:200]}")
    return GpuLook(tuple(parse_gpus(answer.stdout)))


def ask_driver(tool: str, arguments: Sequence[str], limit_seconds: float) -> subprocess.CompletedProcess[str]:
    """Run nvidia-smi; both its streams come as one. TimeoutExpired after the limit, whatever the process does then:
    one that a hanging driver holds in the kernel cannot be killed, and must not be waited for."""
    process = subprocess.Popen(  # noqa: S603 - a fixed command without outside input
        [tool, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    try:
        said, _ = process.communicate(timeout=limit_seconds)
    except BaseException:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, said)


def parse_gpus(text: str) -> Iterable[Gpu]:
    """The lines of the query above; a field in brackets is one that the GPU does not have."""
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != len(FIELDS):
            continue
        uuid, name, bus_id, megabytes, errors, pending = parts
        memory = _number(megabytes)
        yield Gpu(
            uuid=uuid,
            name=name,
            bus_id=bus_id[-len("0000:65:00.0") :].partition(".")[0].lower(),
            memory_bytes=memory * 1024**2 if memory is not None else None,
            uncorrected_errors=_number(errors),
            is_retirement_pending=pending.lower() == "yes",
        )


def slot_gpus(environ: Mapping[str, str]) -> list[str]:
    """Those that slots are given: none when inference was told to run on the CPU, and none where a GPU was told
    of and the driver shows none: the slots then find their machine unfit, and say so where it is heard."""
    device = environ.get("TILEFLEET_CONSUMER_DEVICE", "")
    if device.startswith("cuda:"):
        raise BadInput(
            f"TILEFLEET_CONSUMER_DEVICE={device} and --slots exclude each other: each slot gets a GPU of its own; "
            f"name those that it may use in CUDA_VISIBLE_DEVICES"
        )
    if device == "cpu":
        return []
    gpus = visible_gpus(environ, look_at_gpus())
    if device == "cuda" and not gpus and "CUDA_VISIBLE_DEVICES" in environ:
        raise BadInput(
            "TILEFLEET_CONSUMER_DEVICE=cuda, but CUDA_VISIBLE_DEVICES names no GPU: leave one of them out"
        )
    return gpus


def is_gpu_machine(environ: Mapping[str, str]) -> bool:
    """Was this machine told that it has GPUs, and not which? One that it does not show is then lost, and whoever
    asked for a slot on it is not mistaken."""
    return environ.get("TILEFLEET_CONSUMER_DEVICE") == "cuda" and "CUDA_VISIBLE_DEVICES" not in environ


def visible_gpus(environ: Mapping[str, str], look: GpuLook) -> list[str]:
    """Those that this process may use, as CUDA_VISIBLE_DEVICES names them, else all of the machine."""
    named = environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [gpu.uuid for gpu in look.gpus]
    names = [name.strip() for name in named.split(",") if name.strip()]
    # CUDA takes what stands before the first invalid one; -1 is the usual way to say "none".
    return names[: names.index("-1")] if "-1" in names else names


def own_gpus(environ: Mapping[str, str], gpus: Iterable[Gpu]) -> tuple[Gpu, ...]:
    """Those of the machine's GPUs that this process uses: a sick one elsewhere is another slot's business.
    None of them when the one that it was given is not there any more."""
    everything = tuple(gpus)
    named = environ.get("CUDA_VISIBLE_DEVICES", "")
    ours = tuple(gpu for gpu in everything if gpu.uuid in named)
    if ours or named.startswith("GPU-"):
        return ours
    return everything  # named by numbers, whose order the driver and CUDA may see differently


def kernel_log() -> str | None:
    """What the kernel logged since boot and still keeps; None where this process may not read it."""
    with contextlib.suppress(OSError):
        log = os.open(KERNEL_LOG, os.O_RDONLY | os.O_NONBLOCK)
        records = []
        try:
            while True:
                with contextlib.suppress(BrokenPipeError):  # that record was overwritten meanwhile
                    records.append(os.read(log, KERNEL_RECORD_BYTES))
        except BlockingIOError:
            return b"".join(records).decode(errors="replace")
        finally:
            os.close(log)
    return None


def hardware_xids(log: str, gpus: Iterable[Gpu]) -> list[str]:
    """`79 (0000:65:00)` for every report in a kernel log of hardware that fails in one of these GPUs."""
    ours = {gpu.bus_id for gpu in gpus}
    found = ((number, device.removeprefix("PCI:").lower()) for device, number in _XID.findall(log))
    return [
        f"{number} ({device})" for number, device in found if int(number) in HARDWARE_XIDS and device in ours
    ]


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None
