"""Redoing: each chosen result is replaced once, and its tile is committed or asked at every instant."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.commit import read_standing
from contract.errors import BadInput
from contract.job import JobState, JobStatus
from contract.job_store import Cursor, write_cursor
from fleetctl.askers import find_askers
from fleetctl.audit.verify import verify
from fleetctl.campaign.history import gather_history
from fleetctl.redo.carry_out import Redo
from fleetctl.redo.choose import RedoTile, choose_corrupt, choose_listed, choose_where
from fleetctl.redo.condition import parse_condition
from fleetctl.redo.plan import advance, store_plan, unfinished_plans
from fleetctl.redo.tile_file import read_tile_names, words_of
from tests.unit.fleetctl.control_rig import A, B, C, ControlRig, Crash, CrashesAt

NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)


def nothing() -> None:
    """Nobody watches."""


def redo_with(rig: ControlRig, **changes) -> Redo:
    askers = find_askers(rig.store, {(rig.dataset, tile) for tile in rig.cells})
    return replace(Redo(rig.store, rig.queues, rig.job, askers, 2), **changes)


def plan_of(rig: ControlRig, *tiles):
    chosen = [RedoTile(tile, 1) for tile in tiles]
    return store_plan(rig.store, rig.job, what="tiles", reason="bad scenes", tiles=chosen, now=NOW)


def generations(rig: ControlRig) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for message in rig.messages():
        found.setdefault(message.tile.name, []).append(message.generation)
    return found


def test_a_result_is_revoked_and_its_next_generation_asked():
    rig = ControlRig()
    for tile in (A, B):
        rig.campaign.commit(tile, {f"{tile.name}.txt": b"old"})
    redo = redo_with(rig)
    assert redo.carry_out(plan_of(rig, A)) == 1
    assert not read_standing(rig.store, rig.dataset, A).is_done
    assert read_standing(rig.store, rig.dataset, B).is_done
    assert generations(rig) == {A.name: [2]}
    assert unfinished_plans(rig.store, rig.job) == []
    assert rig.store.read(artifact_names.published(rig.dataset, f"{A.name}.txt")).data == b"old"


@pytest.mark.parametrize("has_entry", [False, True])
@pytest.mark.parametrize("step", range(16))
def test_a_crash_at_any_write_is_gone_on_from_and_nothing_is_redone_twice(step, has_entry):
    rig = ControlRig()
    if has_entry:
        rig.give_up(A)
    for tile in (A, B):
        rig.campaign.commit(tile)
    plan = plan_of(rig, A, B)
    fault = CrashesAt(step)
    store = SimulatedBlobStore(rig.container, fault)
    fragile = redo_with(rig, store=store, queues=rig.queues_with(fault=fault), connections=1)
    try:
        fragile.carry_out(plan)
    except Crash:
        assert rig.is_accounted(A)
        assert rig.is_accounted(B)
        rig.campaign.commit(A, generation=2)  # a worker was quick
        for unfinished in unfinished_plans(rig.store, rig.job):
            redo_with(rig).carry_out(unfinished)
    assert rig.is_accounted(A)
    assert rig.is_accounted(B)
    asked = generations(rig)
    assert set(asked[B.name]) == {2}
    assert set(asked.get(A.name, [2])) == {2}
    assert unfinished_plans(rig.store, rig.job) == []
    assert 2 not in read_standing(rig.store, rig.dataset, A).revoked


def test_an_old_poison_entry_does_not_explain_the_new_generation():
    rig = ControlRig()
    rig.give_up(A)
    rig.campaign.commit(A)
    redo_with(rig).carry_out(plan_of(rig, A))
    assert gather_history(rig.store, rig.job).poison == frozenset()
    assert len(list(rig.store.names("replayed/"))) == 1


def test_two_who_go_on_with_one_plan_notice_each_other():
    rig = ControlRig()
    rig.campaign.commit(A)
    plan = plan_of(rig, A)
    (other,) = unfinished_plans(rig.store, rig.job)
    advance(rig.store, other, other.etag, 1)
    with pytest.raises(BadInput, match="somebody else goes on"):
        redo_with(rig).carry_out(plan)


def test_a_write_that_is_repeated_because_its_answer_was_lost_is_our_own():
    class AsksTwice(SimulatedBlobStore):
        def create(self, name, data, *, metadata=None):
            super().create(name, data, metadata=metadata)
            return super().create(name, data, metadata=metadata)

        def set_metadata(self, name, metadata, *, if_etag):
            super().set_metadata(name, metadata, if_etag=if_etag)
            return super().set_metadata(name, metadata, if_etag=if_etag)

    rig = ControlRig()
    rig.campaign.commit(A)
    store = AsksTwice(rig.container)
    plan = store_plan(store, rig.job, what="tiles", reason="r", tiles=[RedoTile(A, 1)], now=NOW)
    assert advance(store, plan, plan.etag, 1) == store.info(plan.blob_name).etag
    assert unfinished_plans(store, rig.job) == []


def test_every_job_of_the_dataset_that_asks_the_tile_has_a_message():
    rig = ControlRig()
    rig.campaign.commit(A)
    other = replace(rig.job, name="again-2024", is_urgent=True)
    asked = rig.store.read(artifact_names.job_asked(rig.job.id)).data
    rig.store.put(artifact_names.job_asked(other.id), asked)
    rig.store.put(artifact_names.job_record(other.id), other.encode())
    status = JobStatus(JobState.RUNNING, "", NOW.isoformat())
    rig.store.put(artifact_names.job_state(other.id), status.encode())
    write_cursor(rig.store, other.id, Cursor(3))
    redo_with(rig).carry_out(plan_of(rig, A))
    assert (rig.queues.urgent.depth(), rig.queues.tiles.depth()) == (1, 1)


def test_listed_tiles_must_be_asked_and_only_committed_ones_are_redone():
    rig = ControlRig((A, B))
    rig.campaign.commit(A)
    history = gather_history(rig.store, rig.job)
    choice = choose_listed(history, [A.name, B.name, A.name])
    assert (choice.tiles, choice.left_out) == ((RedoTile(A, 1),), 1)
    with pytest.raises(BadInput, match=rf"does not ask {C.name}; did you mean"):
        choose_listed(history, [C.name])


def test_a_tile_whose_next_generation_is_asked_is_not_chosen_again():
    rig = ControlRig((A,))
    rig.campaign.commit(A)
    redo_with(rig).carry_out(plan_of(rig, A))
    assert choose_listed(gather_history(rig.store, rig.job), [A.name]).tiles == ()
    rig.campaign.commit(A, generation=2)
    again = choose_listed(gather_history(rig.store, rig.job), [A.name])
    assert again.tiles == (RedoTile(A, 2),)


def test_corrupt_are_those_that_the_store_says_otherwise_about():
    cells = (A, B, C)
    rig = ControlRig(cells)
    for tile in cells:
        rig.campaign.commit(tile, {f"{tile.name}/a": b"whole", f"{tile.name}/b": b"whole"})
    published = {tile: artifact_names.published(rig.dataset, f"{tile.name}/b") for tile in cells}
    rig.store.delete(published[A])
    rig.store.put(published[B], b"WHOLE")
    rig.store.put(published[C], b"whol")
    choice = choose_corrupt(verify(rig.store, rig.job, connections=2))
    assert choice.tiles == (RedoTile(A, 1), RedoTile(B, 1), RedoTile(C, 1))
    assert choice.left_out == 0
    assert choice.examples[0] == f"{A}: {A}/b 5 bytes are gone"
    assert "its commit says" in choice.examples[1]
    assert choice.examples[2] == f"{C}: {C}/b 4 bytes, its commit says 5"


def test_a_damaged_commit_is_corrupt_and_an_unpublished_one_is_not():
    rig = ControlRig()
    rig.campaign.commit(A, {f"{A}/a": b"whole"})
    rig.campaign.commit(B, {f"{B}/a": b"whole"}, is_published=False)
    rig.store.put(artifact_names.commit(rig.dataset, A, 1), b"{}", metadata={"published": "x"})
    choice = choose_corrupt(verify(rig.store, rig.job, connections=2))
    assert (choice.tiles, choice.left_out) == ((RedoTile(A, 1),), 1)
    assert choice.examples[0].startswith(f"{A}: unreadable commit ")


def test_where_chooses_by_what_commits_say_and_names_the_fields_it_knows():
    rig = ControlRig()
    rig.campaign.commit(A, worker="slow", seconds={"infer": 900.0})
    rig.campaign.commit(B, worker="quick", seconds={"infer": 9.0})
    history = gather_history(rig.store, rig.job)

    def chosen(text: str):
        return choose_where(rig.store, history, parse_condition(text), 2, nothing)

    choice = chosen("seconds.infer>100 and worker=slow")
    assert (choice.tiles, choice.left_out) == ((RedoTile(A, 1),), 1)
    with pytest.raises(BadInput, match=r"no commit says 'wroker'; did you mean worker\? known: .*outcome"):
        chosen("wroker=slow")


def test_a_list_of_tiles_is_read_strictly(tmp_path):
    path = tmp_path / "tiles.txt"
    path.write_text(f"# bad ones\n{B.name}\n\n{A.name}  # twice\n{A.name}\n")
    names = read_tile_names(path)
    assert names == (B.name, A.name)
    assert words_of(names) == words_of([A.name, B.name]) != words_of([A.name])
    for text, complaint in ((f"{A.name}\ngrid_x\n", "line 2"), ("\n", "names no tile")):
        with pytest.raises(BadInput, match=complaint):
            read_tile_names(io.StringIO(text))
    with pytest.raises(BadInput, match="cannot be read"):
        read_tile_names(tmp_path / "nowhere.txt")
