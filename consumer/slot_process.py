"""One slot as a process: started pinned and capped, its last words kept, its whole group signalled.

If the supervisor is killed outright, the kernel sends each slot the SIGTERM that nobody else can
(PR_SET_PDEATHSIG), and the slots leave in order.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from consumer.slots import Slot
from consumer.thread_caps import thread_caps

LAST_LINES = 20
LINE_CHARACTERS = 500
READ_BYTES = 65536
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class SlotProcess:
    """A running slot. Its standard error comes through us, its standard output does not."""

    slot: Slot
    process: subprocess.Popen[bytes]
    errors: int
    """Our end of the pipe that it logs to; never blocks."""
    pid_handle: int
    """Readable once the process has ended."""
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    _rest: bytes = b""

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self.process.pid

    def relay(self, out: BinaryIO) -> None:
        """Pass on the lines that it logged since the last call, whole ones only: other slots log beside it."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.errors, READ_BYTES):
                *lines, self._rest = (self._rest + data).split(b"\n")
                if len(self._rest) > READ_BYTES:  # no line at all
                    lines, self._rest = [*lines, self._rest], b""
                self._pass_on(lines, out)

    def _pass_on(self, lines: Sequence[bytes], out: BinaryIO) -> None:
        self.last_lines.extend(_shown(line) for line in lines if line.strip())
        # Nobody may read our log any more, which is no reason to end the slots.
        with contextlib.suppress(OSError, ValueError):
            out.write(b"".join(line + b"\n" for line in lines))
            out.flush()

    def signal(self, number: int) -> None:
        """To it and all that it started; nothing happens when they have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def end(self, out: BinaryIO) -> int:
        """After its end: collect its status and last words, and kill what it left behind."""
        # Not reaped yet, so that its group's id cannot have gone to somebody else.
        self.signal(signal.SIGKILL)
        status = self.process.wait()
        self.relay(out)
        if self._rest.strip():
            self._pass_on([self._rest], out)
        os.close(self.errors)
        os.close(self.pid_handle)
        return status


def start_slot(slot: Slot, command: Sequence[str], environ: Mapping[str, str]) -> SlotProcess:
    """The command in a process group of its own, pinned to the slot's cores from its first instruction on.

    Call it from the main thread: the kernel ties the slot's life to the thread that starts it. OSError when
    the machine cannot start a process.
    """
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    before = os.sched_getaffinity(0)
    try:
        # Inherited by the child, and by every thread that any library of it starts.
        os.sched_setaffinity(0, slot.cores)
        process = subprocess.Popen(  # noqa: S603 - this program itself
            command,
            stdin=subprocess.DEVNULL,
            stderr=theirs,
            env=dict(environ),
            process_group=0,
            # The slot holds the reading end of its own log, too: without us its last lines go nowhere,
            # instead of ending it with a broken pipe while it hands its tiles back.
            pass_fds=(ours,),
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.sched_setaffinity(0, before)
        os.close(theirs)
    try:
        return SlotProcess(slot, process, ours, os.pidfd_open(process.pid))
    except OSError:  # nobody would see it end, and another one is about to get its share
        process.kill()
        process.wait()
        os.close(ours)
        raise


def slot_command(slot: Slot, supervisor: int, arguments: Sequence[str]) -> list[str]:
    """`consumer run` as a slot of that supervisor."""
    membership = ["--slot", str(slot.number), str(supervisor)]
    return [sys.executable, "-m", "consumer", "run", *membership, *arguments]


def slot_arguments(fleet: str | None, *, until_empty: bool, job: str | None) -> list[str]:
    """What a slot is told on its command line; the rest of what we were told is in its environment."""
    arguments = ["--fleet", fleet] if fleet else []
    if job is not None:
        return [*arguments, "--until-empty", "--job", job]
    return [*arguments, "--until-empty"] if until_empty else arguments


def join_supervisor(supervisor: int) -> None:
    """In a slot, first of all: end with the supervisor, whichever way it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # it died before the kernel was asked
        os._exit(signal.SIGTERM + 128)


def slot_environ(
    environ: Mapping[str, str], slot: Slot, *, name: str, scratch: Path, life: str = ""
) -> dict[str, str]:
    """The environment of one slot: its own name, folders and share, over everything else as it is."""
    gpu = {"CUDA_VISIBLE_DEVICES": slot.gpu, "TILEFLEET_CONSUMER_DEVICE": "cuda"} if slot.gpu else {}
    return {
        **environ,
        **thread_caps(slot.threads, slot.memory_bytes),
        "TILEFLEET_CONSUMER_WORKER": f"{name}-s{slot.number}",
        "TILEFLEET_CONSUMER_THREADS": str(slot.threads),
        "TILEFLEET_CONSUMER_MEMORY_BYTES": str(slot.memory_bytes),
        "TILEFLEET_CONSUMER_SCRATCH_FOLDER": str(scratch),
        "TILEFLEET_CONSUMER_HALT_FILE": str(halt_file(scratch)),
        "TILEFLEET_CONSUMER_NOTICES": "none",  # the supervisor asks the cloud, once for all
        "NOTIFY_SOCKET": life,  # to us, and not to who watches us
        **gpu,
    }


def halt_file(scratch: Path) -> Path:
    """What the supervisor writes to pass a notice on to the slot of that folder."""
    return scratch / "halt.txt"


def _shown(line: bytes) -> str:
    return line.decode(errors="replace").strip()[:LINE_CHARACTERS]
