"""Each law sees the fault that it is there for: programs with a fault put into them do not pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.checkpoints.blocks import Blocks
from consumer.stages import settle
from consumer.stages.settle import SettleStage
from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.commit import read_commit
from contract.simulated_faults import effect
from laptop_cloud.virtual.fleet import run
from laptop_cloud.virtual.laws import broken_laws
from laptop_cloud.virtual.scenario import (
    Durations,
    Evictions,
    MachineTrouble,
    Nature,
    Scenario,
    StorageTrouble,
    bad_days,
)

SEED = 5
BAD = bad_days(120, evictions_per_vm_hour=10.0)


def laws_broken(scenario, *, prepare=lambda _world: None):
    return {broken.law for broken in broken_laws(run(scenario, SEED, prepare=prepare))}


def overwrite(store, name, data, *, metadata=None):
    """A `create` that is not write-once, with its own name in the hook."""
    with effect(store._fault, "create", name):
        return SimulatedBlobStore(store._container).put(name, data, metadata=metadata)


def test_nothing_is_broken_without_a_fault():
    assert laws_broken(BAD) == set()


def test_a_store_that_creates_twice_is_seen(monkeypatch):
    monkeypatch.setattr(SimulatedBlobStore, "create", overwrite)
    twins = Scenario(
        tiles=40,
        vms=12,
        durations=Durations(download=1, prepare=0, infer=1, write=0),
        duplicate_share=1.0,
        storage=StorageTrouble(latency_seconds=(0.5, 5.0)),
    )
    assert "a tile is committed once per generation" in laws_broken(twins)


def test_a_message_deleted_before_its_tile_is_committed_is_seen(monkeypatch):
    real = SettleStage._commit

    def delete_first(self, work):
        self._complete(work)
        real(self, work)

    monkeypatch.setattr(SettleStage, "_commit", delete_first)
    crashing = replace(BAD, machines=MachineTrouble(crashes_per_write=0.02))
    assert "asked = committed + explained, each with the right cause" in laws_broken(crashing)


def test_blocks_in_another_order_are_seen(monkeypatch):
    real = Blocks.take_restored
    monkeypatch.setattr(Blocks, "take_restored", lambda self: real(self)[::-1])
    evicted = Scenario(tiles=60, vms=8, evictions=Evictions(per_vm_hour=20.0), blocks=16)
    assert "published bytes are those of an undisturbed run" in laws_broken(evicted)


def test_staging_that_nobody_clears_is_seen(monkeypatch):
    monkeypatch.setattr(settle, "clear_staging", lambda _store, _standing, _attempt: 0)
    assert laws_broken(Scenario(tiles=4, vms=2)) == {"staging is cleared"}


def test_uploads_whose_lease_was_lost_are_left_only_where_the_winner_was_cut_off():
    world = run(Scenario(tiles=4, vms=2), SEED)
    dataset, tile = world.job.dataset, world.tiles[0]
    world.store().put(f"{artifact_names.staging_prefix(dataset, tile, 1, 'late')}0.bin", b"")
    assert {broken.law for broken in broken_laws(world)} == {"staging is cleared"}
    world.cut_off.add(read_commit(world.store(), dataset, tile, 1).record.attempt)
    assert broken_laws(world) == []


def test_an_eviction_that_nobody_recorded_is_seen(monkeypatch):
    monkeypatch.setattr("laptop_cloud.virtual.machine.record_eviction", lambda *_names, **_facts: None)
    evicted = Scenario(tiles=60, vms=8, evictions=Evictions(per_vm_hour=20.0, notice_seconds=(0.0,)))
    assert "innocent tiles are not charged" in laws_broken(evicted)


@pytest.mark.parametrize("nature", [Nature.BAD, Nature.KILLER, Nature.HARMFUL])
def test_a_tile_that_deserves_poison_and_was_committed_is_seen(nature):
    scenario = Scenario(tiles=4, vms=4)

    def plant(world):
        world.natures[world.tiles[0].name] = nature

    assert laws_broken(scenario, prepare=plant) == set()
    world = run(scenario, SEED)
    plant(world)  # too late to do any harm
    assert world.tiles[0].name in {broken.tile for broken in broken_laws(world)}
