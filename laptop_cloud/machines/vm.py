"""A virtual machine of the laptop cloud: a power state, a boot, two disks, and a `consumer` with all its slots.

It knows no clouds and no HTTP; whoever speaks to clients asks it from any thread. A VM does not stop because
its consumer ended: it stays `running`, and costs, until somebody stops or deallocates it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consumer.exit_codes import ExitCode
from consumer.notices.signals import EXIT_AT_ONCE
from laptop_cloud.machines import sessions
from laptop_cloud.machines.gpu import PretendGpu
from laptop_cloud.machines.power import AT_REST, OFF, Delays, NotNow, Power, PowerState
from laptop_cloud.machines.temporary_disk import TemporaryDisk
from laptop_cloud.processes import Child, ends_within

LEAVE_LIMIT_SECONDS = 40.0
"""A consumer's grace of 25 s and some more before it is killed."""
WANTED_ENDS = frozenset({ExitCode.DONE, ExitCode.BAD_INPUT, ExitCode.EVICTED, ExitCode.UNFIT, EXIT_AT_ONCE})
"""No restart helps against these, or none is wanted."""

Start = Callable[..., Child]
"""processes.start, called in a thread that lives as long as the VM may."""


@dataclass(frozen=True, slots=True)
class VmSpec:
    """What one was ordered as."""

    name: str
    slots: int = 1
    arguments: tuple[str, ...] = ()
    """After `consumer run --slots N`."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Over the variables that every VM gets."""
    has_gpu: bool = False
    """Whether it claims a GPU, which the toy recipe alone can work with."""
    restart_seconds: float | None = None
    """Pause before a consumer that failed starts again, as a service manager does it; None: it stays down."""
    size: str = "Standard_Laptop"
    location: str = "laptop"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Boot:
    """One time that a VM was switched on."""

    number: int
    """From 1."""
    id: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where a VM's things are on this machine."""

    system: Path
    """The system disk: survives everything."""
    logs: Path
    metadata_url: str


class LaptopVm:
    """One VM. Its methods may be called from any thread; those that another change forbids raise NotNow."""

    def __init__(
        self,
        spec: VmSpec,
        environ: Mapping[str, str],
        places: Places,
        disk: TemporaryDisk,
        start: Start,
        *,
        delays: Delays | None = None,
    ) -> None:
        """Switched off: deallocated. `environ`: of its programs, without what makes it this VM."""
        self.spec = spec
        self.boot: Boot | None = None
        self.last_status: int | None = None
        """How the latest consumer ended; None: none did."""
        self._environ = environ
        self._places = places
        self._disk = disk
        self._gpu = PretendGpu(spec.name, places.system / "gpu", is_listed=spec.has_gpu)
        self._start_process = start
        self._delays = delays or Delays()
        self._power = Power(spec.name)
        self._service: Child | None = None
        self._lock = threading.RLock()
        """Around the consumer's processes."""
        self._is_frozen = False

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def power(self) -> PowerState:
        return self._power.state

    @property
    def consumer_pid(self) -> int | None:
        """Of the supervisor, also the session of all its processes; None: it does not run."""
        service = self._service
        return service.pid if service is not None else None

    @property
    def scratch(self) -> Path:
        """The temporary disk, as its programs see it."""
        return self._disk.folder

    @property
    def metadata_url(self) -> str:
        """Of its own metadata service."""
        return self._places.metadata_url

    @property
    def log_path(self) -> Path:
        """Of this boot."""
        number = self.boot.number if self.boot else 0
        return self._places.logs / f"{self.name}-boot{number}.log"

    @property
    def consumer_says(self) -> str:
        """`works`, `frozen`, `ended (21)`, or nothing while the VM is off."""
        if self._service is not None:
            return "frozen" if self._is_frozen else "works"
        return f"ended ({self.last_status})" if self.power == PowerState.RUNNING else ""

    def start(self) -> None:
        """Switch on: a new boot, whose consumer runs when this returns."""
        with self._power.moving(OFF, PowerState.STARTING, PowerState.RUNNING, self._delays.start_seconds):
            self._boot()

    def stop(self) -> None:
        """Switch off and keep it: the consumer is told to leave; the temporary disk stays."""
        with self._power.moving(AT_REST, PowerState.STOPPING, PowerState.STOPPED, self._delays.stop_seconds):
            self._leave(LEAVE_LIMIT_SECONDS)

    def deallocate(self) -> None:
        """Give it back at once, as when a notice is over: all processes die, the temporary disk is lost.

        The next start is on another host, with a sound GPU.
        """
        with self._power.moving(
            AT_REST, PowerState.DEALLOCATING, PowerState.DEALLOCATED, self._delays.deallocate_seconds
        ):
            self._end_service()
            self._disk.wipe()
            self._gpu.heal()

    def shut_down(self, limit_seconds: float = LEAVE_LIMIT_SECONDS) -> None:
        """For the end of the laptop cloud: the consumer leaves in order, then the VM is gone. Never raises NotNow."""
        self.await_rest(limit_seconds)
        self._leave(limit_seconds)
        with contextlib.suppress(NotNow):
            self.deallocate()

    def await_rest(self, limit_seconds: float) -> bool:
        """Wait until no change is under way; whether that came true in time."""
        return self._power.await_rest(limit_seconds)

    def kill(self) -> None:
        """SIGKILL to every process of the consumer at one instant; harmless when none runs.

        Nobody ended it in order, so it starts again where the VM was ordered so.
        """
        self._end_service()
        self._restart_later()

    def freeze(self) -> None:
        """Stop every process where it is; NotNow when none runs."""
        with self._lock:
            if self._service is None:
                raise NotNow(f"{self.name} has no consumer that runs: there is nothing to freeze")
            sessions.freeze(self._service.pid)
            self._is_frozen = True

    def thaw(self) -> None:
        """Let them go on; harmless when they do."""
        with self._lock:
            self._is_frozen = False
            if self._service is not None:
                sessions.thaw(self._service.pid)

    def sicken(self) -> None:
        """Its GPU is broken from now on, until the VM is deallocated."""
        self._gpu.sicken()

    def fill(self) -> None:
        """Its temporary disk takes no byte more; CannotFill where it has no size of its own."""
        self._disk.fill()

    def _boot(self) -> None:
        self._disk.attach()
        self._disk.relieve()
        self.boot = Boot((self.boot.number if self.boot else 0) + 1, str(uuid.uuid4()))
        with self._lock:
            self._start_service()

    def _start_service(self) -> None:
        entry, handles = self._disk.entry()
        command = [sys.executable, "-m", "consumer", "run", "--slots", str(self.spec.slots)]
        self._service = self._start_process(
            [*command, *self.spec.arguments],
            name=self.name,
            log_path=self.log_path,
            environ=self._own_environ(),
            within=entry,
            pass_fds=handles,
            is_session=True,
        )
        self._is_frozen = False
        threading.Thread(
            target=self._watch, args=(self._service,), name=f"watch-{self.name}", daemon=True
        ).start()

    def _own_environ(self) -> dict[str, str]:
        assert self.boot is not None
        return {
            **self._environ,
            "TILEFLEET_CONSUMER_WORKER": self.name,
            "TILEFLEET_CONSUMER_VM": self.name,
            "TILEFLEET_CONSUMER_BOOT_ID": self.boot.id,
            "TILEFLEET_CONSUMER_NOTICES": "azure",
            "TILEFLEET_CONSUMER_METADATA_URL": self._places.metadata_url,
            # Where azure-identity asks for this VM's tokens.
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": self._places.metadata_url,
            "TILEFLEET_CONSUMER_CACHE_FOLDER": str(self._places.system / "cache"),
            "TILEFLEET_CONSUMER_SCRATCH_FOLDER": str(self._disk.folder),
            **self._gpu.environ(self._environ.get("PATH", os.defpath)),
            **self.spec.environ,
        }

    def _watch(self, service: Child) -> None:
        """In a thread of its own: bury a consumer that ended by itself, and perhaps start the next."""
        ends_within(service, None)
        with self._lock:
            if self._service is not service:
                return  # we ended it ourselves
            self._bury(service)
        self._restart_later()

    def _restart_later(self) -> None:
        pause_seconds = self.spec.restart_seconds
        if pause_seconds is None or self.last_status in WANTED_ENDS or self.boot is None:
            return
        restart = threading.Timer(pause_seconds, self._start_service_again, (self.boot,))
        restart.daemon = True
        restart.start()

    def _start_service_again(self, boot: Boot) -> None:
        with self._lock:
            if self._service is None and self.boot == boot and self.power == PowerState.RUNNING:
                self._start_service()

    def _end_service(self) -> None:
        with self._lock:
            if self._service is not None:
                self._bury(self._service)

    def _leave(self, limit_seconds: float) -> None:
        service = self._service
        if service is None:
            return
        self.thaw()
        with contextlib.suppress(ProcessLookupError):
            os.kill(service.pid, signal.SIGTERM)  # the supervisor alone: it tells its slots
        ends_within(service, limit_seconds)
        with self._lock:
            if self._service is service:
                self._bury(service)

    def _bury(self, service: Child) -> None:
        """Nobody of it is left; its leader is reaped last, so that the session is still its own."""
        self._service, self._is_frozen = None, False
        sessions.kill(service.pid)
        self.last_status = service.process.wait()
