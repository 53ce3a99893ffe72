"""A network between workers and storage that cuts connections: before a request, or after it was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.exit_codes import ExitCode
from contract import artifact_names
from contract.completion import completion
from contract.errors import StorageError
from laptop_cloud import relay_control
from laptop_cloud.azurite import Endpoints
from laptop_cloud.storage_faults import StorageFaults
from tests.fleet_rig import FleetRig, committed_once, is_drained, make_rig, wait_for

pytestmark = pytest.mark.slow

SIX_TILES = "bbox:-4.9,54.1,-4.3,54.2"
SEED = 20_240


def test_tiles_are_committed_once_over_a_network_that_cuts_one_request_in_ten(
    azurite: Endpoints, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    with relay_control.running(azurite, tmp_path / "relay.log") as relay:
        rig = make_rig(tmp_path, relay.endpoints.queue_url, relay.endpoints.blob_url)
        try:
            job = rig.enqueue(SIX_TILES, infer_seconds=0.3, artifacts=3)
            relay.misbehave(StorageFaults(cut_before_percent=5, cut_after_percent=5, seed=SEED))
            workers = [rig.start_consumer(f"w{number}") for number in range(2)]
            wait_for(lambda: committed_as_seen(rig, job) == 6, "six commits")
            relay.behave()
            wait_for(lambda: is_drained(rig), "the queues to be empty")
            for worker in workers:
                worker.terminate()
            assert [worker.wait(60) for worker in workers] == [ExitCode.DONE] * 2
            assert len(committed_once(rig, job)) == 6
            assert list(rig.store.names(artifact_names.POISON_PREFIX)) == []
            cuts = sum(
                fates.get("cut before", 0) + fates.get("cut after", 0) for fates in relay.counts().values()
            )
            assert cuts >= 5, "the day was too good to show anything"
        finally:
            rig.end()


def committed_as_seen(rig: FleetRig, job_id: str) -> int:
    """How many tiles are committed; 0 while no answer comes through."""
    try:
        return completion(rig.store, job_id).committed
    except StorageError:  # the test's own requests are cut as well
        return 0
