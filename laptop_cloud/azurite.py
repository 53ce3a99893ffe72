"""Azurite, the storage emulator: queues and blobs of the laptop cloud, on disk, on loopback.

On disk and not in memory: after some thousand deleted messages the in-memory store of 3.36.0 answers
nothing for half a minute and more. Stopped by SIGTERM and awaited: a kill -9 loses what it acknowledged
in its last five seconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from laptop_cloud import processes
from laptop_cloud.node_runtime import Node, find_node, install_locked_packages

ACCOUNT = "devstoreaccount1"
# The emulator's published key: the same on every machine, and good for nothing else.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# Azurite closes an idle connection after 5 s, Azure after minutes. A pooled connection that dies just as
# the SDK uses it costs the SDK's long first back-off, which the real service would never have caused.
KEEP_ALIVE_SECONDS = 120
# It finishes what it is doing before it obeys SIGTERM, and then writes everything to disk.
STOP_LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Azurite:
    """An installed emulator, ready to be started."""

    node: Node
    script: Path


@dataclass(frozen=True)
class Endpoints:
    """Where a running emulator answers."""

    blob_url: str
    """Without a trailing slash, ending in the account's name."""
    queue_url: str
    account: str = ACCOUNT
    account_key: str = ACCOUNT_KEY

    @property
    def connection_string(self) -> str:
        """What the Azure SDKs' `from_connection_string` takes."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.account_key};"
            f"BlobEndpoint={self.blob_url};QueueEndpoint={self.queue_url};"
        )


def install(home: Path) -> Azurite:
    """Azurite below `home`/node, installed on the first call and reused afterwards (some 200 MB)."""
    node = find_node()
    modules = install_locked_packages(home, node)
    return Azurite(node, modules / "azurite/dist/src/azurite.js")


@contextlib.contextmanager
def running(
    azurite: Azurite, location: Path, *, blob_port: int = 0, queue_port: int = 0, log_path: Path | None = None
) -> Iterator[Endpoints]:
    """The emulator over the data in `location` (made when missing, kept afterwards); port 0: a free one."""
    location.mkdir(parents=True, exist_ok=True)
    blob_port = blob_port or processes.free_port()
    queue_port = queue_port or processes.free_port()
    command = [
        *(str(azurite.node.node), str(azurite.script), "--location", str(location)),
        *("--silent", "--disableTelemetry"),
        # The current SDKs speak a newer version of the protocol than the emulator knows.
        "--skipApiVersionCheck",
        *_listening("blob", blob_port),
        *_listening("queue", queue_port),
        *_listening("table", processes.free_port()),
    ]
    with processes.running(
        command,
        name="azurite",
        log_path=log_path or location.with_name(f"{location.name}.log"),
        is_ready=lambda: processes.is_listening(blob_port) and processes.is_listening(queue_port),
        stop_limit_seconds=STOP_LIMIT_SECONDS,
    ):
        yield Endpoints(
            f"http://{processes.LOOPBACK}:{blob_port}/{ACCOUNT}",
            f"http://{processes.LOOPBACK}:{queue_port}/{ACCOUNT}",
        )


class Emulator:
    """One that can be stopped and started again on the same data and ports, while programs use it."""

    def __init__(self, azurite: Azurite, location: Path) -> None:
        self._azurite = azurite
        self._location = location
        self._ports = processes.free_port(), processes.free_port()
        self._stack = contextlib.ExitStack()

    def start(self) -> Endpoints:
        """The same endpoints every time."""
        blob_port, queue_port = self._ports
        return self._stack.enter_context(
            running(self._azurite, self._location, blob_port=blob_port, queue_port=queue_port)
        )

    def stop(self) -> None:
        """By SIGTERM, and awaited: nothing that it acknowledged is lost. Harmless when it does not run."""
        self._stack.close()

    def restart(self) -> Endpoints:
        """Programs meet refused connections in between, for a second or two."""
        self.stop()
        return self.start()


@contextlib.contextmanager
def restartable(azurite: Azurite, location: Path) -> Iterator[tuple[Emulator, Endpoints]]:
    """A started emulator that can be restarted, and where it answers; stopped on the way out."""
    emulator = Emulator(azurite, location)
    try:
        yield emulator, emulator.start()
    finally:
        emulator.stop()


def _listening(service: str, port: int) -> list[str]:
    return [
        *(f"--{service}Host", processes.LOOPBACK),
        *(f"--{service}Port", str(port)),
        *(f"--{service}KeepAliveTimeout", str(KEEP_ALIVE_SECONDS)),
    ]
