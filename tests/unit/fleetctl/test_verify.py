"""verify names exactly what is wrong, and counts every asked tile once."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from contract import artifact_names
from contract.errors import BadInput
from contract.job import JobState
from contract.job_store import Cursor, write_cursor
from contract.tile_id import GridCell, WebTile, parse_tile, tile_of_path_name
from fleetctl.audit.tile_table import Seen, TileTable
from fleetctl.audit.verdict import Sent, Standing, standing_of
from fleetctl.audit.verdict_table import print_verdict, verdict_json
from fleetctl.commands.verify import check_options
from tests.unit.fleetctl.audit_rig import CELLS, DAMAGES, Audited, faults_of, lose_artifact

FIRST, SECOND = CELLS[:2]


@pytest.fixture
def rig(tmp_path):
    return Audited(tmp_path)


def test_a_job_that_a_worker_finished_is_complete_and_no_record_is_read(rig, monkeypatch):
    read = []
    monkeypatch.setattr(type(rig.store), "info", lambda _store, name: read.append(name))
    audit = rig.verify()
    assert audit.verdict.is_complete
    assert (audit.verdict.asked, audit.verdict.committed) == (len(CELLS), len(CELLS))
    assert audit.findings == ()
    assert read == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_kind_of_damage_is_called_by_its_name(rig, damage):
    damage(rig, FIRST)
    found = faults_of(rig.verify())
    assert found == ({FIRST.name: DAMAGES[damage]} if DAMAGES[damage] else {})


@pytest.mark.slow
@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from(CELLS), st.sampled_from(list(DAMAGES)), max_size=len(CELLS)))
def test_any_damage_is_named_exactly(tmp_path_factory, damages):
    rig = Audited(tmp_path_factory.mktemp("world"))
    for cell, damage in damages.items():
        damage(rig, cell)
    audit = rig.verify()
    assert faults_of(audit) == {
        cell.name: DAMAGES[damage] for cell, damage in damages.items() if DAMAGES[damage]
    }
    verdict = audit.verdict
    assert verdict.asked == verdict.committed + verdict.wrong + sum(verdict.standings.values())
    assert verdict.is_complete == all(damage.__name__ == "take_marks_off" for damage in damages.values())


def test_the_artifact_and_both_lengths_are_named(rig):
    lose_artifact(rig, FIRST)
    (finding,) = rig.verify().findings
    (fault,) = finding.faults
    assert fault.artifact == f"toy/2024/{FIRST.name}/0.bin"
    assert fault.detail == "100 bytes are gone"


def test_tiles_of_another_job_of_the_same_dataset_do_not_count(tmp_path):
    rig = Audited(tmp_path, CELLS[:3])
    other = rig.world.ask(CELLS[3], CELLS[4])
    assert rig.verify().verdict.is_complete
    write_cursor(rig.store, other.id, Cursor(2))
    rig.job = other
    audit = rig.verify()
    assert audit.verdict.standings[Standing.QUEUED] == 2
    assert not audit.verdict.is_complete


def test_what_was_given_up_is_explained_until_it_is_committed(tmp_path):
    rig = Audited(tmp_path, is_done=False)
    rig.store.create(artifact_names.poison(rig.job.dataset, FIRST), b"{}")
    assert rig.verify().verdict.explained == 1
    rig.work()
    verdict = rig.verify().verdict
    assert verdict.is_complete
    assert verdict.explained == 0


def test_a_cancelled_job_explains_what_was_not_done(tmp_path):
    rig = Audited(tmp_path, is_done=False)
    rig.world.set_state(rig.job, JobState.CANCELLED)
    verdict = rig.verify().verdict
    assert verdict.is_complete
    assert verdict.standings[Standing.CANCELLED] == len(CELLS)


def test_what_is_left_beside_committed_tiles_is_counted_and_harms_nobody(rig):
    dataset = rig.job.dataset
    rig.store.put(artifact_names.staging_prefix(dataset, FIRST, 1, "a") + "x", b"")
    rig.store.put(artifact_names.checkpoint(dataset, FIRST, 1, "a", 3), b"")
    rig.store.put(artifact_names.second_attempt(dataset, SECOND, 1, 1), b"")
    verdict = rig.verify().verdict
    beside = verdict.beside
    assert (beside.staging.left_over, beside.checkpoints.left_over, beside.second_claims.left_over) == (
        1,
        1,
        1,
    )
    assert verdict.is_complete


def test_an_asked_list_that_was_changed_is_refused(rig):
    rig.store.put(artifact_names.job_asked(rig.job.id), f"{FIRST}\n".encode())
    with pytest.raises(BadInput, match="its digest is not the recorded one"):
        rig.verify()


@pytest.mark.parametrize(
    ("position", "state", "standing"),
    [
        (2, JobState.RUNNING, Standing.QUEUED),
        (3, JobState.CANARY, Standing.AWAITS_APPROVAL),
        (2, JobState.CANARY, Standing.QUEUED),
        (3, JobState.RUNNING, Standing.NOT_SENT),
        (3, JobState.PAUSED, Standing.NOT_SENT),
        (3, JobState.CANCELLED, Standing.CANCELLED),
    ],
)
def test_a_tile_without_anything_stands_by_how_far_its_job_was_sent(position, state, standing):
    assert standing_of(Seen(0), position, Sent(cursor=3, canary_count=3, state=state)) is standing


def test_every_tile_has_a_place_of_its_own_and_is_found_by_its_path_name():
    tiles = [*CELLS, WebTile(24, 2**24 - 1, 2**24 - 1), WebTile(0, 0, 0), WebTile(1, 0, 1), WebTile(1, 1, 0)]
    table = TileTable(tiles, len(tiles))
    assert sorted(table.place(tile) for tile in tiles) == list(range(len(tiles)))
    assert [table.place_of_name(tile.path_name) for tile in tiles] == [table.place(tile) for tile in tiles]
    assert [tile_of_path_name(tile.path_name) for tile in tiles] == tiles
    assert table.place(parse_tile("grid_0.05_0.05")) is None
    assert table.place_of_name("../etc") is None


def test_what_is_printed_ends_with_one_sentence_and_names_at_most_twenty_faults(tmp_path):
    cells = tuple(GridCell(540, column) for column in range(-60, -35))
    rig = Audited(tmp_path, cells)
    for cell in cells:
        lose_artifact(rig, cell)
    audit = rig.verify()
    console = Console(record=True, width=80, file=io.StringIO())
    print_verdict(console, audit.verdict, audit.findings)
    lines = console.export_text().splitlines()
    assert sum("missing: toy/2024/" in line for line in lines) == 20
    assert "  and 5 more: --json names all of them" in lines
    assert lines[-1].startswith("not complete: 25 things are wrong; `fleetctl verify toy-job-")
    assert len(verdict_json(audit.verdict, audit.findings)["faults"]) == 25


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"repair": True, "as_json": True}, "do not go together"),
        ({"sample": 3}, "add --deep"),
        ({"deep": True, "seed": 3}, "add --sample N"),
    ],
)
def test_options_that_do_not_fit_are_a_mistake(options, words):
    usual = {"repair": False, "as_json": False, "deep": False, "sample": None, "seed": None}
    with pytest.raises(BadInput, match=words):
        check_options(**(usual | options))
