"""What verify finds, repair mends: with a worker's run the job is whole again, and typed twice it does no harm."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import artifact_names
from contract.commit import read_standing
from contract.errors import StorageUnavailable
from contract.job import JobState
from contract.job_store import Cursor, write_cursor
from contract.json_text import to_bytes
from contract.poison_entry import decode_entry
from contract.simulated_faults import no_fault
from fleetctl.audit.repair import Repaired, are_empty, carry_out, plan_repair
from fleetctl.audit.verdict import Standing
from tests.unit.fleetctl.audit_rig import (
    CELLS,
    DAMAGES,
    Audited,
    flip_artifact,
    garble_commit,
    lose_artifact,
    lose_commit,
    revoke_only,
    unpublish,
    unpublish_without_staging,
)

pytestmark = pytest.mark.slow

FIRST, SECOND = CELLS[:2]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def rig(tmp_path):
    return Audited(tmp_path)


def repair(rig: Audited, fault=no_fault) -> list[Repaired]:
    """Look, plan, carry out."""
    queues = rig.world.queues_of(fault)
    plan = plan_repair(rig.verify(), are_queues_empty=are_empty(rig.world.queues))
    return list(carry_out(rig.store, queues, rig.job, plan, now=NOW, connections=1))


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from(CELLS), st.sampled_from(list(DAMAGES)), max_size=len(CELLS)))
def test_whatever_the_damage_a_repair_and_a_worker_make_the_job_whole(tmp_path_factory, damages):
    rig = Audited(tmp_path_factory.mktemp("world"))
    before = rig.world.published(rig.job)
    for cell, damage in damages.items():
        damage(rig, cell)
    repair(rig)
    rig.work()
    assert rig.verify().verdict.is_complete
    assert rig.world.published(rig.job) == before
    assert repair(rig) == []


def test_a_publication_is_finished_without_doing_the_tile_again(rig):
    unpublish(rig, FIRST)
    assert repair(rig) == [Repaired(FIRST, "published")]
    assert are_empty(rig.world.queues)
    assert rig.verify().verdict.is_complete


def test_a_publication_whose_uploads_are_gone_is_done_again(rig):
    unpublish_without_staging(rig, FIRST)
    assert repair(rig) == [Repaired(FIRST, "generation 2 asked again")]
    rig.work()
    assert rig.verify().verdict.is_complete


@pytest.mark.parametrize("damage", [lose_artifact, flip_artifact, garble_commit], ids=lambda d: d.__name__)
def test_a_tile_that_is_done_again_says_why_it_was_revoked(rig, damage):
    damage(rig, FIRST)
    repair(rig)
    reason = rig.store.read(artifact_names.revocation(rig.job.dataset, FIRST, 1)).data
    assert b"fleetctl verify --repair: " in reason
    assert rig.verify().verdict.standings[Standing.ASKED_AGAIN] == 1


def test_a_repair_that_dies_between_revoking_and_asking_is_ended_by_the_next_one(rig):
    lose_artifact(rig, FIRST)

    def storage_goes_away(moment: str, operation: str, _name: str) -> None:
        if (moment, operation) == ("before", "send"):
            raise StorageUnavailable("gone")

    with pytest.raises(StorageUnavailable):
        repair(rig, storage_goes_away)
    assert read_standing(rig.store, rig.job.dataset, FIRST).revoked == {1}
    assert are_empty(rig.world.queues)
    assert repair(rig) == [Repaired(FIRST, "generation 2 asked again")]
    rig.work()
    assert rig.verify().verdict.is_complete


def test_a_repair_that_is_typed_twice_has_the_tile_done_once(rig):
    lose_artifact(rig, FIRST)
    repair(rig)
    repair(rig)
    rig.work()
    assert read_standing(rig.store, rig.job.dataset, FIRST).committed == {1, 2}
    assert rig.verify().verdict.is_complete


def test_messages_that_were_lost_are_put_again_only_when_none_is_left(tmp_path):
    rig = Audited(tmp_path, CELLS[:3], is_done=False)
    assert repair(rig) == []
    lost = rig.world.queues.tiles.receive(1, 60)
    for held in lost:
        rig.world.queues.tiles.complete(held)
    rig.work()
    assert rig.verify().verdict.left == 1
    assert len(repair(rig)) == 1
    rig.work()
    assert rig.verify().verdict.is_complete


def test_a_commit_that_is_gone_leaves_artifacts_that_are_removed_and_made_again(rig):
    lose_commit(rig, FIRST)
    deeds = [repaired.deed for repaired in repair(rig)]
    assert deeds == ["2 left-over artifacts removed", "generation 1 asked again"]


def test_every_job_that_asked_the_tile_asks_again(rig):
    other = rig.world.ask(FIRST, SECOND)
    write_cursor(rig.store, other.id, Cursor(2))
    rig.work()
    lose_artifact(rig, FIRST)
    repair(rig)
    assert rig.world.queues.tiles.depth() == 2


def test_a_poisoned_tile_stays_given_up(tmp_path):
    rig = Audited(tmp_path, CELLS[:2], is_done=False)
    rig.store.create(artifact_names.poison(rig.job.dataset, FIRST), b"{}")
    for held in rig.world.queues.tiles.receive(2, 60):
        rig.world.queues.tiles.complete(held)
    assert [repaired.tile for repaired in repair(rig)] == [SECOND]


def test_a_resolved_poison_entry_does_not_explain_a_tile_that_is_asked_again(rig):
    name = artifact_names.poison(rig.job.dataset, FIRST)
    entry = {
        "tile": FIRST.name,
        "dataset": rig.job.dataset,
        "cause": "tile",
        "reason": "r",
        "queue": "t-tiles",
    }
    data = to_bytes(
        {**entry, "raw_base64": base64.b64encode(b"m").decode(), "delivery_count": 2, "time": "t"}
    )
    rig.store.create(name, data)
    assert decode_entry(name, data).tile == FIRST
    lose_artifact(rig, FIRST)
    repair(rig)
    verdict = rig.verify().verdict
    assert verdict.standings[Standing.ASKED_AGAIN] == 1
    assert verdict.explained == 0
    kept = [other for other in rig.world.names("") if rig.store.read(other).data == data]
    assert len(kept) == 1, "put aside, not lost"


def test_a_cancelled_jobs_damaged_tile_is_left_to_its_readers(rig):
    flip_artifact(rig, FIRST)
    revoke_only(rig, SECOND)
    rig.world.set_state(rig.job, JobState.CANCELLED)
    assert repair(rig) == [Repaired(FIRST, "left: its job is cancelled, and no other one asks for it")]
    assert read_standing(rig.store, rig.job.dataset, FIRST).is_done
