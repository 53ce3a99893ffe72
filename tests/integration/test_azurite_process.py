"""The storage emulator as the laptop cloud runs it: installed from the lock, kept on disk, always ended."""

import os
from pathlib import Path

import psutil
import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from laptop_cloud import azurite

HOME = Path(__file__).parents[2] / ".laptop"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed():
    """Installed where the laptop cloud itself looks for it, so that one download serves both."""
    return azurite.install(HOME)


def test_the_installed_version_is_the_pinned_one(installed):
    package = installed.script.parents[2] / "package.json"
    assert '"version": "3.36.0"' in package.read_text()


def test_messages_and_blobs_sent_just_before_the_stop_are_there_after_the_next_start(installed, tmp_path):
    location = tmp_path / "storage"
    with azurite.running(installed, location) as endpoints:
        queue = QueueServiceClient.from_connection_string(endpoints.connection_string).create_queue("tiles")
        for number in range(20):
            queue.send_message(f"message {number}", time_to_live=-1)
        container = BlobServiceClient.from_connection_string(endpoints.connection_string)
        container.create_container("results").upload_blob("a", b"pixels")
    with azurite.running(installed, location) as endpoints:
        queue = QueueServiceClient.from_connection_string(endpoints.connection_string).get_queue_client(
            "tiles"
        )
        assert queue.get_queue_properties().approximate_message_count == 20
        blobs = BlobServiceClient.from_connection_string(endpoints.connection_string)
        assert blobs.get_blob_client("results", "a").download_blob().readall() == b"pixels"


def test_nothing_runs_after_the_context_even_when_its_body_fails(installed, tmp_path):
    def fail_beside_a_running_emulator():
        with azurite.running(installed, tmp_path / "storage"):
            assert emulators_of(tmp_path)
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail_beside_a_running_emulator()
    assert emulators_of(tmp_path) == []


def test_a_second_installation_reuses_the_first(installed):
    marker = HOME / "node" / "installed.sha256"
    before = marker.stat().st_mtime_ns
    assert azurite.install(HOME) == installed
    assert marker.stat().st_mtime_ns == before


def emulators_of(folder):
    """Children of ours that work on this folder."""
    return [
        child
        for child in psutil.Process(os.getpid()).children(recursive=True)
        if child.is_running() and str(folder) in " ".join(child.cmdline())
    ]
