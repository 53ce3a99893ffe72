"""A region in front: only what it helps, in the generation that counts, and not twice."""

from __future__ import annotations

import pytest

from contract.blob_stores.simulated import SimulatedBlobStore
from contract.commit import revoke
from contract.heartbeat import Heartbeat, HeldTile, WorkerState, write_heartbeat
from contract.job import JobState
from contract.job_store import Cursor, write_cursor
from contract.tile_id import parse_tile
from fleetctl.prioritise import Place, look_at_region, put_in_front
from tests.unit.fleetctl.control_rig import A, B, C, ControlRig, Crash, CrashesAt

D, E = (parse_tile(f"grid_0.{tenth}5_50.05") for tenth in (3, 4))
EVERYWHERE = {tile.name for tile in (A, B, C, D, E)}


def counted(region) -> dict[Place, int]:
    return {place: count for place, count in region.counts.items() if count}


def test_only_what_waits_is_put_and_everything_is_counted():
    rig = ControlRig((A, B, C, D))
    rig.campaign.commit(A)
    rig.give_up(B)
    write_heartbeat(
        rig.store,
        Heartbeat(
            worker="w1",
            vm="vm",
            boot_id="b",
            started="",
            state=WorkerState.WORKING,
            tiles=(HeldTile(rig.dataset, C.name, "infer", 0.5, ""),),
            held_count=1,
            cpu_percent=1.0,
            memory_bytes=1,
            gpu_percent=None,
            prefetched_bytes=0,
        ),
    )
    region = look_at_region(rig.store, rig.job, JobState.RUNNING, EVERYWHERE)
    assert counted(region) == {
        Place.PUT: 1,
        Place.HELD: 1,
        Place.COMMITTED: 1,
        Place.POISON: 1,
        Place.NOT_ASKED: 1,
    }
    assert sum(region.counts.values()) == len(EVERYWHERE)
    put_in_front(rig.store, rig.queues.urgent, rig.job, region.to_put)
    assert (rig.queues.urgent.depth(), rig.queues.tiles.depth()) == (1, 0)
    assert [message.tile for message in rig.messages()] == [D]


def test_typed_again_nothing_is_put_twice_but_a_new_generation_is():
    rig = ControlRig((A, B))
    for expected in (2, 0):
        region = look_at_region(rig.store, rig.job, JobState.RUNNING, EVERYWHERE)
        assert len(region.to_put) == expected
        put_in_front(rig.store, rig.queues.urgent, rig.job, region.to_put)
    assert region.counts[Place.URGENT] == 2
    rig.campaign.commit(A)
    revoke(rig.store, rig.dataset, A, 1, "corrupt")
    (message,) = look_at_region(rig.store, rig.job, JobState.RUNNING, EVERYWHERE).to_put
    assert (message.tile, message.generation) == (A, 2)


@pytest.mark.parametrize("step", range(4))
def test_a_crash_repeats_a_batch_and_skips_nothing(step):
    rig = ControlRig((A,))
    fault = CrashesAt(step)
    region = look_at_region(rig.store, rig.job, JobState.RUNNING, EVERYWHERE)
    store, queues = SimulatedBlobStore(rig.container, fault), rig.queues_with(fault=fault)
    with pytest.raises(Crash):
        put_in_front(store, queues.urgent, rig.job, region.to_put)
    again = look_at_region(rig.store, rig.job, JobState.RUNNING, EVERYWHERE)
    put_in_front(rig.store, rig.queues.urgent, rig.job, again.to_put)
    assert {message.tile for message in rig.messages()} == {A}


def test_a_canary_that_waits_keeps_its_other_tiles_back():
    rig = ControlRig((A, B))
    write_cursor(rig.store, rig.job.id, Cursor(1))
    region = look_at_region(rig.store, rig.job, JobState.CANARY, EVERYWHERE)
    assert counted(region) == {Place.PUT: 1, Place.LATER: 1, Place.NOT_ASKED: 3}
