"""Reading what was given up: names, states, pointers, and texts that a terminal must not obey."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from contract.errors import BadInput
from contract.poison_entry import decode_entry
from fleetctl.poison.drop import drop_entry
from fleetctl.poison.entries import EntryState, choose_entry, entry_names, find_entries, find_entry
from fleetctl.poison.pointers import clear_pointers
from fleetctl.poison.selection import check_cause, of_job, replayable
from fleetctl.poison.tables import entries_table, entry_json, entry_page
from fleetctl.safe_text import safe_bytes, safe_text
from tests.unit.fleetctl.control_rig import A, B, C, ControlRig

WHEN = "2026-03-01T13:00:00+00:00"


def printed(renderable) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(renderable)
    return out.getvalue()


def found_all(rig: ControlRig):
    return list(find_entries(rig.store, entry_names(rig.store), 4))


def test_an_entry_is_open_until_its_tile_is_committed_or_a_person_drops_it():
    rig = ControlRig()
    for tile in (A, B, C):
        rig.give_up(tile)
    rig.campaign.commit(A)
    dropped = find_entry(rig.store, choose_entry(entry_names(rig.store), B.name))
    assert drop_entry(rig.store, dropped, reason="no imagery", when=WHEN)
    assert [one.state.value for one in found_all(rig)] == ["resolved", "dropped", "open"]
    again = find_entry(rig.store, dropped.blob_name)
    assert not drop_entry(rig.store, again, reason="other", when=WHEN)
    assert (again.entry.dropped.reason, again.entry.raw) == ("no imagery", dropped.entry.raw)
    with pytest.raises(BadInput, match="committed meanwhile"):
        drop_entry(rig.store, found_all(rig)[0], reason="x", when=WHEN)
    assert [one.blob_name for one in replayable(found_all(rig), are_named=False)] == [
        one.blob_name for one in found_all(rig) if one.state is not EntryState.DROPPED
    ]


def test_a_dropped_tile_stays_explained_when_another_message_for_it_is_given_up():
    rig = ControlRig()
    name = rig.give_up(A)
    drop_entry(rig.store, find_entry(rig.store, name), reason="no imagery", when=WHEN)
    rig.give_up(A)
    assert find_entry(rig.store, name).state is EntryState.DROPPED


def test_entries_are_named_as_a_person_would():
    rig = ControlRig()
    name = rig.give_up(A)
    rig.give_up(B)
    foreign = rig.give_up_foreign("hello")
    names = entry_names(rig.store)
    digest = foreign.rpartition("/")[2]
    for typed in (name, name.removeprefix("poison/"), A.name):
        assert choose_entry(names, typed) == name
    for typed in (foreign, f"foreign/{digest[:12]}", digest[:8]):
        assert choose_entry(names, typed) == foreign
    with pytest.raises(BadInput, match=r"did you mean grid_0\.05_50\.05"):
        choose_entry(names, "grid_0.06_50.05")
    with pytest.raises(BadInput, match="several poison entries"):
        choose_entry([*names, f"poison/other-2024/{A.name}"], A.name)


def test_a_job_selects_what_it_asks_and_a_cause_must_be_one():
    rig = ControlRig((A, B))
    name = rig.give_up(A)
    rig.give_up(C)
    rig.give_up_foreign("hello")
    assert of_job(rig.store, rig.job.id, entry_names(rig.store)) == [name]
    with pytest.raises(BadInput, match="did you mean source"):
        check_cause("sourse")


def test_pointers_go_once_their_entry_is_settled_and_others_stay():
    rig = ControlRig()
    name, kept = rig.give_up(A), rig.give_up(B)
    rig.queues.poison.send(f'{{"poison":"{name}","v":1}}')  # a pointer may be there twice
    strange = ("somebody else's", '{"poison":"poison/../../x?y"}', '{"poison":"poison/' + "x" * 3000 + '"}')
    rig.queues.poison.send_many(strange)  # storage refuses such names
    rig.store.delete(name)
    assert clear_pointers(rig.store, rig.queues.poison, 4) == 2
    assert rig.queues.poison.depth() == 1 + len(strange)
    assert any(kept in held.body for held in rig.queues.poison.receive(32, 60))


def test_hostile_texts_are_spelled_out():
    rig = ControlRig()
    evil = "\x9b2J\u202e" + "x" * 9000
    foreign = rig.give_up_foreign(evil)
    rig.give_up(A, reason="\x1b]0;owned\x07[red]not markup[/red]")
    page = printed(entry_page(find_entry(rig.store, foreign)))
    page += printed(entries_table(found_all(rig)))
    page += printed(entry_page(found_all(rig)[-1]))
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(page)
    assert "[red]not markup[/red]" in page
    assert "9004 characters" in page
    assert safe_bytes(b"\xff\x00a") == "\\xff\\x00a"
    assert safe_text("Zürich") == "Zürich"


def test_an_entry_that_nobody_of_ours_wrote_is_a_line_and_not_the_end():
    rig = ControlRig()
    name = rig.give_up(A)
    data = rig.store.read(name).data
    rig.store.put(f"poison/{rig.dataset}/{B.name}", data)
    rig.store.put(f"poison/{rig.dataset}/{C.name}", b"\xff{")
    states = [one.state.value for one in found_all(rig)]
    assert states == ["open", "unreadable", "unreadable"]
    assert "unreadable" in printed(entries_table(found_all(rig)))
    assert "problem" in entry_json(found_all(rig)[1])
    with pytest.raises(BadInput, match="holds the entry of"):
        decode_entry(f"poison/{rig.dataset}/{B.name}", data)


def test_an_entry_is_whole_as_json():
    rig = ControlRig()
    record = entry_json(find_entry(rig.store, rig.give_up(A)))
    assert (record["tile"], record["job"], record["cause"], record["workers"]) == (
        A.name,
        rig.job.id,
        "tile",
        ["w7"],
    )
    assert record["attempts"] == [["a1", "w7", "tile", "GiveUp:0123456789"]]
    assert '"tile":"grid_0.05_50.05"' in record["raw"]
