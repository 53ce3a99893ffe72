import fcntl
import os
import resource
import signal
import subprocess
import sys

import psutil
import pytest

from laptop_cloud import processes

WAITS = "import signal, sys; print('up', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
)
WITH_CHILD = (
    "import signal, subprocess, sys;"
    f"print(subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).pid, flush=True); signal.pause()"
)


def running_python(code, tmp_path, **limits):
    log = tmp_path / "child.log"
    return processes.running(
        [sys.executable, "-c", code],
        name="the child",
        log_path=log,
        is_ready=lambda: bool(log.read_text().strip()),
        **limits,
    )


def has_ended(pid, limit_seconds=20):
    """Whether a process that need not be ours ends within the limit."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return processes.has_ended_within(handle, limit_seconds)
    finally:
        os.close(handle)


def test_a_child_runs_inside_the_context_and_has_ended_after_it(tmp_path):
    with running_python(WAITS, tmp_path) as child:
        assert child.is_running()
        assert os.getpgid(child.pid) == child.pid
    assert child.process.returncode == -signal.SIGTERM


def test_a_child_that_ignores_sigterm_is_killed_at_the_limit(tmp_path):
    with running_python(STUBBORN, tmp_path, stop_limit_seconds=0.2) as child:
        pass
    assert child.process.returncode == -signal.SIGKILL


def test_what_a_child_started_ends_with_it(tmp_path):
    with running_python(WITH_CHILD, tmp_path):
        grandchild = int((tmp_path / "child.log").read_text().split()[0])
        assert psutil.pid_exists(grandchild)
    assert has_ended(grandchild)


def test_a_process_is_awaited_also_where_a_thousand_files_are_open(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with running_python(WAITS, tmp_path) as child:
            low = os.pidfd_open(child.pid)
            high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 1500)
            assert not processes.has_ended_within(high, 0)
        assert processes.has_ended_within(high, 20)
        os.close(low)
        os.close(high)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_stopping_twice_is_harmless(tmp_path):
    with running_python(WAITS, tmp_path) as child:
        processes.stop(child)
        processes.stop(child)
    assert not child.is_running()


def test_a_child_that_ends_while_starting_is_reported_with_its_own_words(tmp_path):
    child = processes.start(
        [sys.executable, "-c", "raise SystemExit('no such colour')"],
        name="the painter",
        log_path=tmp_path / "painter.log",
    )
    with pytest.raises(processes.DidNotStart, match=r"the painter ended with status 1 .* no such colour"):
        processes.wait_until_ready(child, lambda: False)


def test_a_child_that_never_answers_is_reported_and_ended(tmp_path):
    child = processes.start([sys.executable, "-c", WAITS], name="the mute", log_path=tmp_path / "mute.log")
    with pytest.raises(processes.DidNotStart, match=r"the mute did not answer within 0.2 s"):
        processes.wait_until_ready(child, lambda: False, limit_seconds=0.2)
    processes.stop(child)
    assert not child.is_running()


def test_killing_the_parent_outright_ends_its_children(tmp_path):
    log = tmp_path / "orphan.log"
    parent_code = (
        "import signal, sys; from pathlib import Path; from laptop_cloud import processes;"
        f"log = Path({str(log)!r});"
        f"child = processes.start([sys.executable, '-c', {WAITS!r}], name='c', log_path=log);"
        # Before the child runs its own program, the kernel has not been told whose end is its end.
        "processes.wait_until_ready(child, lambda: bool(log.read_text()));"
        "print(child.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True) as parent:
        orphan = int(parent.stdout.readline())
        parent.kill()
    assert has_ended(orphan)


def test_sigterm_unwinds_the_contexts_of_the_parent(tmp_path):
    log = tmp_path / "log"
    parent_code = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from laptop_cloud import processes\n"
        "with processes.unwinding_on_sigterm():\n"
        f"    command = [sys.executable, '-c', {WAITS!r}]\n"
        f"    log = Path({str(log)!r})\n"
        "    with processes.running(command, name='c', log_path=log, is_ready=lambda: True) as child:\n"
        "        print(child.pid, flush=True)\n"
        "        signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        parent.terminate()
        assert parent.wait(timeout=30) == 128 + signal.SIGTERM
    assert not psutil.pid_exists(child)


def test_a_free_port_has_no_listener():
    assert not processes.is_listening(processes.free_port())
