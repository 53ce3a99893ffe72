"""Child processes of the laptop cloud: started in groups of their own, awaited by a condition, ended with us.

Three ways out are covered. A context that exits stops its child by SIGTERM, waits for it, and after a
limit kills the group. A SIGTERM or Ctrl-C of ours unwinds those contexts (`unwinding_on_sigterm`). And if
we are killed outright, the kernel sends each child the SIGTERM that we no longer can (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from contract.errors import TilefleetError

LOOPBACK = "127.0.0.1"
PROBE_INTERVAL_SECONDS = 0.05
LOG_TAIL_CHARACTERS = 1500
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class DidNotStart(TilefleetError):
    """A part of the laptop cloud ended, or did not answer in time, while it was being started."""


@dataclass(frozen=True)
class Child:
    """A started process, the leader of its own process group."""

    name: str
    """What messages call it."""
    process: subprocess.Popen[bytes]
    log_path: Path
    """Where its standard output and error go."""

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self.process.pid

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None


def start(
    command: Sequence[str | Path],
    *,
    name: str,
    log_path: Path,
    environ: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
    is_session: bool = False,
) -> Child:
    """Start `command` in its own process group; its output is appended to `log_path`.

    The kernel ties the child's life to the *thread* that calls this, so call it from one that lives as
    long as the child should (the main thread). `within`: a command that becomes this one, after it has
    entered a namespace. `is_session`: the group also begins a session, which all its descendants share, and the
    kernel ends its leader by SIGKILL: a SIGTERM waits for ever in one that is stopped.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            # The leash comes last: entering a user namespace would take it off.
            [*within, *_leash("KILL" if is_session else "TERM"), *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=None if environ is None else dict(environ),
            process_group=None if is_session else 0,
            start_new_session=is_session,
            pass_fds=pass_fds,
        )
    return Child(name, process, log_path)


def _leash(signal_name: str) -> list[str]:
    # util-linux is part of every Debian; a preexec_fn would do the same but may deadlock beside threads.
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", signal_name, "--"] if setpriv else []


def wait_until_ready(child: Child, is_ready: Callable[[], bool], *, limit_seconds: float = 60) -> None:
    """Return as soon as `is_ready()` holds; raise DidNotStart when the child ends first or time is up."""
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        if ends_within(child, PROBE_INTERVAL_SECONDS):
            raise DidNotStart(
                f"{child.name} ended with status {child.process.wait()} while starting; "
                f"{child.log_path} says: {_log_tail(child.log_path)}"
            )
        if is_ready():
            return
    raise DidNotStart(
        f"{child.name} did not answer within {limit_seconds:g} s; "
        f"{child.log_path} says: {_log_tail(child.log_path)}"
    )


def stop(child: Child, *, limit_seconds: float = 30) -> None:
    """SIGTERM to the group, wait for its leader, SIGKILL for what is left; harmless on an ended child."""
    if child.process.returncode is None:
        _signal_group(child, signal.SIGTERM)
        ends_within(child, limit_seconds)
        # The leader is not reaped yet, so its group id cannot have gone to somebody else.
        _signal_group(child, signal.SIGKILL)
        child.process.wait()


def ends_within(child: Child, seconds: float | None) -> bool:
    """Wait for the end of the child without reaping it; None: however long that takes."""
    if child.process.returncode is not None:
        return True
    try:
        handle = os.pidfd_open(child.pid)
    except ProcessLookupError:  # another thread has reaped it
        return True
    try:
        return has_ended_within(handle, seconds)
    finally:
        os.close(handle)


def has_ended_within(handle: int, seconds: float | None = None) -> bool:
    """Wait for the end of the process of a pidfd; None: however long that takes."""
    poll = select.poll()  # unlike select, it takes descriptors above 1,023
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(None if seconds is None else math.ceil(max(0.0, seconds) * 1000)))


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    *,
    name: str,
    log_path: Path,
    is_ready: Callable[[], bool],
    ready_limit_seconds: float = 60,
    stop_limit_seconds: float = 30,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Child]:
    """The started and answering process; stopped and awaited on the way out, whatever the reason."""
    child = start(command, name=name, log_path=log_path, environ=environ)
    try:
        wait_until_ready(child, is_ready, limit_seconds=ready_limit_seconds)
        yield child
    finally:
        stop(child, limit_seconds=stop_limit_seconds)


def end_with_parent(parent_pid: int) -> None:
    """Ask the kernel to SIGTERM this process when the thread that started it ends; end now if it has.

    For Python workers (a pool's initializer); `start` does the same for commands.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:  # it ended before the kernel was asked: no signal will come any more
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def unwinding_on_sigterm() -> Iterator[None]:
    """Within it, the first SIGTERM raises SystemExit(143) in the main thread, so that contexts close.

    Later SIGTERMs are ignored: the stopping that the first one began has limits of its own.
    """

    def leave(signum: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(128 + signum)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _signal_group(child: Child, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signum)


def _log_tail(log_path: Path) -> str:
    text = log_path.read_text(errors="replace").strip()
    return text[-LOG_TAIL_CHARACTERS:] or "(nothing)"
