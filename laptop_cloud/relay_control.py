"""A storage relay that runs, and how it is told what kind of day it is."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from contract.errors import BadInput
from laptop_cloud import processes
from laptop_cloud.azurite import Endpoints
from laptop_cloud.storage_faults import StorageFaults, summed
from laptop_cloud.storage_relay import COUNTS_PATH, FAULTS_PATH

ANSWER_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RelayControl:
    """The relay's endpoints in place of the storage's own, and its switches."""

    endpoints: Endpoints

    @property
    def _base(self) -> str:
        url = urlsplit(self.endpoints.blob_url)
        return f"{url.scheme}://{url.netloc}"

    def misbehave(self, faults: StorageFaults, seconds: float | None = None) -> None:
        """From now on, for so many seconds or until told otherwise. BadInput when the faults make no sense."""
        query = "" if seconds is None else f"?seconds={seconds}"
        _ask(f"{self._base}{FAULTS_PATH}{query}", "PUT", json.dumps(asdict(faults)).encode())

    def behave(self) -> None:
        """Pass everything on; requests that are stalled stay so."""
        self.misbehave(StorageFaults())

    def counts(self) -> dict[str, dict[str, int]]:
        """Requests since the start or the last `forget_counts`, by kind, then by fate."""
        counts: dict[str, dict[str, int]] = json.loads(_ask(f"{self._base}{COUNTS_PATH}", "GET"))
        return counts

    def count(self, pattern: str = "") -> int:
        """Requests of the kinds that a regular expression finds, whatever became of them."""
        return summed(self.counts(), pattern)

    def forget_counts(self) -> None:
        """Count from zero."""
        _ask(f"{self._base}{COUNTS_PATH}", "DELETE")


@contextlib.contextmanager
def running(storage: Endpoints, log_path: Path) -> Iterator[RelayControl]:
    """A relay in front of this storage, as a process of its own on free ports."""
    urls = {"blob": urlsplit(storage.blob_url), "queue": urlsplit(storage.queue_url)}
    ports = {service: processes.free_port() for service in urls}
    command = [sys.executable, "-m", "laptop_cloud.storage_relay"]
    for service, url in urls.items():
        command += [f"--{service}-port", str(ports[service])]
        command += [f"--{service}-upstream", f"{url.scheme}://{url.netloc}"]
    with processes.running(
        command,
        name="the storage relay",
        log_path=log_path,
        is_ready=lambda: all(map(processes.is_listening, ports.values())),
    ):
        blob_url, queue_url = (
            f"http://{processes.LOOPBACK}:{ports[service]}{url.path}" for service, url in urls.items()
        )
        yield RelayControl(Endpoints(blob_url, queue_url, storage.account, storage.account_key))


def _ask(url: str, method: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise BadInput(error.read().decode(errors="replace")) from error
