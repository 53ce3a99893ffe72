"""Fixtures that several kinds of tests share: real parts, started once per session."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.azure_clients import EMULATOR_ACCOUNT_KEY, StorageEndpoints
from contract.fleet import LAPTOP_FOLDER, LAPTOP_VARIABLE
from laptop_cloud import azurite as emulator

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def hear_ctrl_c() -> None:
    """Whoever starts the tests in the background has Ctrl-C ignored, and programs inherit that: not those of tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulator.Endpoints]:
    """A real Azurite of this session's own, on disk, on free ports."""
    home = Path(os.environ.get(LAPTOP_VARIABLE, "") or REPOSITORY / LAPTOP_FOLDER)
    with emulator.running(emulator.install(home), tmp_path_factory.mktemp("azurite") / "data") as endpoints:
        yield endpoints


@pytest.fixture(scope="session")
def storage(azurite: emulator.Endpoints) -> StorageEndpoints:
    """The emulator as the adapters are told about storage; each test names its own containers and queues."""
    return StorageEndpoints(azurite.queue_url, azurite.blob_url, "tests", EMULATOR_ACCOUNT_KEY)
