"""What the supervisor does with slots that will not start, stop or speak in lines; real processes, no fleet."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import structlog

from consumer.departure import Departure, decode_departure
from consumer.exit_codes import ExitCode
from consumer.notices.signals import SignalNotice
from consumer.slot_process import halt_file, start_slot
from consumer.slots import Slot
from consumer.supervisor import SLOT_ENDED, Supervisor
from tests.fleet_rig import wait_for

pytestmark = pytest.mark.slow

READ = "(pathlib.Path({0!r}).read_text() if pathlib.Path({0!r}).exists() else '')"
"""Of a file that may not be there yet."""
LISTENING = "import time; print('listening', flush=True); time.sleep(100)"


@pytest.fixture
def rig(tmp_path):
    """A supervisor over Python one-liners, one per slot, and what it logged and passed on."""
    return Rig(tmp_path)


class Rig:
    def __init__(self, folder) -> None:
        self.folder = folder
        self.signals = SignalNotice()
        self.notice: Callable[[], Departure | None] = lambda: None
        self.passed_on = io.BytesIO()
        self.lines: list[dict] = []
        self.started: list[int] = []
        self.shown: list[float] = []

    def run(self, *programs: str, kill_seconds: float = 30, silent_seconds: float = 60) -> ExitCode:
        core = min(os.sched_getaffinity(0))
        slots = [Slot(number, (core,), 10**9) for number in range(len(programs))]

        def start(slot, life):
            program = programs[slot.number]
            self.started.append(slot.number)
            return start_slot(slot, [sys.executable, "-c", program], {**os.environ, "NOTIFY_SOCKET": life})

        supervisor = Supervisor(
            slots,
            start,
            scratch=self.scratch,
            kill_seconds=kill_seconds,
            signals=self.signals,
            notice=self.notice,
            errors=self.passed_on,
            show_life=lambda: self.shown.append(time.monotonic()),
            silent_seconds=silent_seconds,
        )
        with structlog.testing.capture_logs() as lines:
            code = supervisor.run()
        self.lines = lines
        return code

    def scratch(self, slot):
        return self.folder / f"s{slot.number}"

    def tell(self) -> None:
        self.signals.name, self.signals.received_at = "SIGTERM", time.monotonic()

    def ended(self) -> list[dict]:
        return [line for line in self.lines if line["event"] == SLOT_ENDED]


def test_slots_that_end_by_themselves_end_the_supervisor_with_the_gravest_status(rig):
    assert rig.run("raise SystemExit(0)", "raise SystemExit(21)", "raise SystemExit(20)") == ExitCode.UNFIT
    assert sorted(rig.started) == [0, 1, 2]
    ends = {line["slot"]: line["ended"] for line in rig.ended()}
    assert ends == {0: "done (0)", 1: "unfit (21)", 2: "evicted (20)"}


def test_a_slot_that_was_told_before_it_could_listen_did_no_wrong(rig):
    rig.tell()
    assert rig.run(LISTENING) == ExitCode.DONE
    assert rig.ended()[0]["ended"] == "SIGTERM"


def test_a_slot_that_does_not_leave_is_killed_with_all_that_it_started(rig):
    program = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '100'])\n"
        f"open({str(rig.folder / 'pids')!r}, 'w').write(f'{{child.pid}}')\n"
        f"os.rename({str(rig.folder / 'pids')!r}, {str(rig.folder / 'ready')!r})\n"
        "time.sleep(100)\n"
    )

    def tell_when_ready():
        if (rig.folder / "ready").exists() and not rig.signals.is_set:
            rig.tell()

    rig.notice = tell_when_ready
    assert rig.run(program, kill_seconds=0.3) == ExitCode.FAULT
    assert rig.ended()[0]["ended"] == "SIGKILL"
    assert rig.ended()[0]["then"] == "stays down"
    grandchild = int((rig.folder / "ready").read_text())
    wait_for(lambda: has_ended(grandchild), "the slot's own child to end")


def has_ended(pid: int) -> bool:
    """Gone, or only waiting for somebody to collect its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_notice_reaches_every_slot_as_a_halt_file_and_nobody_is_started_again(rig):
    program = (
        "import pathlib, sys, time\n"
        "while not pathlib.Path({!r}).exists(): time.sleep(0.01)\n"
        "raise SystemExit({})\n"
    )
    halts = [str(halt_file(rig.folder / f"s{number}")) for number in range(2)]
    told = Departure("the cloud says so", time.monotonic() + 30, is_eviction=True)
    rig.notice = lambda: told if len(rig.started) == 2 else None
    assert rig.run(program.format(halts[0], 20), program.format(halts[1], 1)) == ExitCode.FAULT
    assert rig.started == [0, 1]


def test_slots_are_told_the_reason_and_the_deadline_and_when_it_comes_nearer(rig):
    halt = halt_file(rig.folder / "s0")
    program = f"import pathlib, time\nwhile 'Preempt' not in {READ.format(str(halt))}: time.sleep(0.01)\n"
    reboot = Departure("Reboot", time.monotonic() + 900, is_eviction=True)
    preempt = Departure("Preempt", time.monotonic() + 30, is_eviction=True)

    def notice():
        if not halt.exists():
            return reboot if rig.started else None
        return preempt

    rig.notice = notice
    assert rig.run(program + "raise SystemExit(20)") == ExitCode.EVICTED
    assert decode_departure(halt.read_bytes(), 0.0) == preempt


def test_a_drain_has_no_deadline_and_restarts_nobody(rig):
    halt = halt_file(rig.folder / "s0")
    program = f"import pathlib, time\nwhile 'drain' not in {READ.format(str(halt))}: time.sleep(0.01)\n"
    rig.notice = lambda: Departure("drain", None, is_eviction=False) if rig.started else None
    assert rig.run(program + "time.sleep(0.6)\nraise SystemExit(1)", kill_seconds=0.1) == ExitCode.FAULT
    assert rig.started == [0]


def test_an_old_halt_file_does_not_evict_a_new_slot(rig):
    old = halt_file(rig.folder / "s0")
    old.parent.mkdir()
    old.touch()
    assert rig.run(f"import os; raise SystemExit(20 if os.path.exists({str(old)!r}) else 0)") == ExitCode.DONE


def test_log_lines_are_passed_on_whole_and_the_last_ones_are_kept(rig):
    program = (
        "import sys\n"
        "for number in range(30): print('line', number, file=sys.stderr)\n"
        "print('half', end='', file=sys.stderr)\n"
        "raise SystemExit(2)\n"
    )
    assert rig.run(program, program) == ExitCode.BAD_INPUT
    passed = rig.passed_on.getvalue().decode().splitlines()
    assert sorted(passed) == sorted(2 * [*(f"line {number}" for number in range(30)), "half"])
    assert all(line["last_lines"][-2:] == ["line 29", "half"] for line in rig.ended())
    assert all(len(line["last_lines"]) == 20 for line in rig.ended())


@pytest.mark.slow
def test_a_program_that_cannot_be_started_counts_as_a_death(rig):
    def start(_slot, _life):
        rig.started.append(0)
        raise BlockingIOError("no more processes")

    supervisor = Supervisor(
        [Slot(0, (0,), 10**9)],
        start,
        scratch=rig.scratch,
        kill_seconds=1,
        signals=rig.signals,
        notice=lambda: None,
        errors=rig.passed_on,
    )
    assert supervisor.run() == ExitCode.FAULT
    assert len(rig.started) == 3


def test_a_process_that_cannot_be_watched_is_not_left_behind(monkeypatch):
    def too_many(_pid):
        raise OSError("too many open files")

    before = {child.pid for child in psutil.Process().children()}
    slot = Slot(0, tuple(os.sched_getaffinity(0)), 10**9)
    monkeypatch.setattr(os, "pidfd_open", too_many)
    with pytest.raises(OSError, match="too many"):
        start_slot(slot, [sys.executable, "-c", LISTENING], os.environ)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_slot_is_pinned_before_its_first_instruction_and_the_supervisor_is_not(rig):
    before = os.sched_getaffinity(0)
    core = min(before)
    program = f"import os; raise SystemExit(0 if os.sched_getaffinity(0) == {{{core}}} else 1)"
    assert rig.run(program) == ExitCode.DONE
    assert os.sched_getaffinity(0) == before


def test_signals_of_the_terminal_do_not_reach_a_slot_past_the_supervisor(rig):
    assert rig.run(f"import os; raise SystemExit(0 if os.getpgrp() == os.getpid() else {signal.SIGINT})") == 0


SHOW_LIFE = """
import os, pathlib, sys, time
sys.path.insert(0, {repository!r})
from contract.service_manager import ALIVE, tell_service_manager
marker = pathlib.Path({marker!r})
if marker.exists():
    raise SystemExit(0)
marker.touch()
tell_service_manager(os.environ, ALIVE)
"""


def test_a_slot_that_showed_life_and_then_hangs_is_killed_and_started_again(rig):
    words = {"repository": str(Path(__file__).parents[3]), "marker": str(rig.folder / "hung")}
    code = rig.run(SHOW_LIFE.format(**words) + "time.sleep(1000)", silent_seconds=1.0)
    assert code == ExitCode.DONE
    assert rig.started == [0, 0]
    assert [line["ended"] for line in rig.ended()] == ["SIGKILL", "done (0)"]
    assert rig.shown


def test_a_slot_that_never_showed_life_is_given_all_the_time_to_start(rig):
    assert rig.run("import time; time.sleep(1.5)", silent_seconds=0.3) == ExitCode.DONE
    assert rig.started == [0]
