"""A tile's story: from the ledger, the commits and the poison entry, to what happens next."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from contract import artifact_names
from contract.commit import revoke
from contract.errors import BadInput
from contract.heartbeat import Heartbeat, HeldTile, WorkerState, write_heartbeat
from contract.job import JobState
from contract.job_store import Cursor, write_cursor
from contract.json_text import to_bytes
from contract.ledger import LedgerWriter
from contract.tile_id import GridCell, WebTile
from fleetctl.audit.next_step import next_step
from fleetctl.audit.story_page import scenes_of, story_json, story_page
from fleetctl.audit.tile_story import find_askings, parse_place, tell_story
from tests.unit.fleetctl.audit_rig import CELLS, Audited, lose_artifact, unpublish

TILE = CELLS[0]
NOW = datetime(2024, 3, 1, tzinfo=UTC)
"""After the rig's job was made."""


def story_of(rig: Audited, on_bytes=lambda *_: None):
    (story,) = tell_story(rig.store, TILE, find_askings(rig.store, TILE, None), on_bytes)
    return story


def ledger(rig: Audited, worker: str, *lines: tuple[str, dict]) -> None:
    """A stream of one worker's lines, a second apart."""
    writer = LedgerWriter(rig.store, worker, clock=lambda: rig.world.now, bound={"worker": worker})
    for name, facts in lines:
        rig.world.now += 1
        writer.write(name, **facts)
    writer.flush()


def received(rig: Audited, attempt: str) -> tuple[str, dict]:
    return (
        "tile_received",
        {"tile": TILE.name, "dataset": rig.job.dataset, "attempt": attempt, "delivery_count": 1},
    )


def returned(rig: Audited, attempt: str, cause: str, reason: str, **facts) -> tuple[str, dict]:
    return (
        "returned",
        {
            "tile": TILE.name,
            "dataset": rig.job.dataset,
            "attempt": attempt,
            "cause": cause,
            "reason": reason,
            **facts,
        },
    )


@pytest.fixture
def asked(tmp_path):
    rig = Audited(tmp_path, is_done=False)
    rig.world.now = NOW.timestamp()
    return rig


@pytest.fixture
def done(tmp_path):
    return Audited(tmp_path)


@pytest.mark.parametrize(
    ("text", "tile"),
    [
        ("grid_-4.55_54.15", GridCell(541, -46)),
        ("54.15,-4.55", GridCell(541, -46)),
        ("-33.95, 18.45", GridCell(-340, 184)),
        ("54.1,-4.6", GridCell(541, -46)),
        ("8/130/80", WebTile(8, 130, 80)),
    ],
)
def test_a_tile_is_named_or_found_around_a_place(text, tile):
    assert parse_place(text) == tile


@pytest.mark.parametrize("text", ["somewhere", "54.15", "91,0", "nan,0", "1,2,3", "inf,0"])
def test_what_is_no_place_is_a_mistake_in_one_sentence(text):
    with pytest.raises(BadInput, match=r"no (place|tile|grid cell)"):
        parse_place(text)


def test_a_tile_that_nobody_asked_for_is_a_mistake(done):
    with pytest.raises(BadInput, match=r"not asked for by any job.*producer enqueue"):
        find_askings(done.store, GridCell(0, 0), None)
    with pytest.raises(BadInput, match=f"not asked for by job {done.job.id}"):
        find_askings(done.store, GridCell(0, 0), done.job.id)


def test_a_damaged_job_hides_no_other_one_that_asked_the_tile(asked):
    broken = replace(asked.job, name="broken")
    asked.store.put(artifact_names.job_record(broken.id), broken.encode())
    asked.store.put(artifact_names.job_asked(broken.id), b"grid_0.05_0.05\n")
    assert [asking.job for asking in find_askings(asked.store, TILE, None)] == [asked.job]
    with pytest.raises(BadInput, match="digest"):
        find_askings(asked.store, TILE, broken.id)


def test_the_asking_says_where_in_the_list_and_whether_its_message_was_put(asked):
    write_cursor(asked.store, asked.job.id, Cursor(2))
    places = [find_askings(asked.store, cell, None)[0] for cell in CELLS[:3]]
    assert [(place.position, place.is_sent) for place in places] == [(0, True), (1, True), (2, False)]


def test_each_attempt_is_told_once_with_its_worker_stages_cause_and_reason(asked):
    soon = (NOW + timedelta(days=1)).isoformat()
    ledger(
        asked,
        "w1",
        received(asked, "a1"),
        ("stage_ended", {"tile": TILE.name, "attempt": "a1", "stage": "download", "seconds": 3.5}),
        ("stage_ended", {"tile": CELLS[1].name, "attempt": "other", "stage": "download", "seconds": 9}),
        returned(asked, "a1", "source", "429", not_before=soon, seconds={"download": 3.5}),
    )
    ledger(asked, "w2", received(asked, "a2"))
    first, second = story_of(asked).attempts
    assert (first.worker, first.end, first.cause, first.reason) == ("w1", "returned", "source", "429")
    assert (first.stage_seconds, first.delivery_count) == ({"download": 3.5}, 1)
    assert (second.worker, second.end) == ("w2", "")


def test_ledgers_from_before_the_job_are_not_read(asked):
    asked.world.now -= 365 * 24 * 3600
    ledger(asked, "old", received(asked, "a0"))
    asked.world.now += 365 * 24 * 3600
    ledger(asked, "new", received(asked, "a1"))
    read = []
    assert [attempt.id for attempt in story_of(asked, lambda *n: read.append(n)).attempts] == ["a1"]
    assert read[-1][0] == read[-1][1] == asked.store.info("ledger/new/000000.jsonl").length


@pytest.mark.parametrize(
    ("arrange", "sentence"),
    [
        (lambda rig: None, "nothing: it is done"),
        (lambda rig: unpublish(rig, TILE), "--repair` does so now"),
        (lambda rig: lose_artifact(rig, TILE), "result is damaged"),
        (lambda rig: revoke(rig.store, rig.job.dataset, TILE, 1, "x"), "a worker receives generation 2"),
    ],
)
def test_what_happens_next_to_a_committed_tile(done, arrange, sentence):
    arrange(done)
    assert sentence in next_step(story_of(done), NOW)


def cancel(rig):
    rig.world.set_state(rig.job, JobState.CANCELLED)


def pause(rig):
    rig.world.set_state(rig.job, JobState.PAUSED)


def unsend(rig):
    write_cursor(rig.store, rig.job.id, Cursor(0))


def hold(rig):
    held = HeldTile(rig.job.dataset, TILE.name, "infer", 0.42, "2026-03-01T00:00:00+00:00")
    beat = Heartbeat("w7", "", "", "", WorkerState.WORKING, (held,), 1, 0.0, 0, None, 0)
    write_heartbeat(rig.store, beat)


def give_up(rig):
    raw = base64.b64encode(b"message").decode()
    entry = {
        "tile": TILE.name,
        "dataset": rig.job.dataset,
        "cause": "tile",
        "reason": "3 bands\x1b[2J",
        "queue": "q",
    }
    data = to_bytes({**entry, "raw_base64": raw, "delivery_count": 2, "time": "t", "log_lines": ["a line"]})
    rig.store.create(artifact_names.poison(rig.job.dataset, TILE), data)


def die(rig):
    ledger(rig, "w1", received(rig, "a1"))


def throttle(rig):
    later = (NOW + timedelta(days=1)).isoformat()
    ledger(rig, "w1", received(rig, "a1"), returned(rig, "a1", "source", "429", not_before=later))


def garble_time(rig):
    ledger(rig, "w1", received(rig, "a1"), returned(rig, "a1", "source", "429", not_before="soon"))


@pytest.mark.parametrize(
    ("arrange", "sentence"),
    [
        (lambda rig: None, "a worker receives it when its turn comes"),
        (cancel, "every job that asked for it is cancelled"),
        (pause, "until `fleetctl job resume"),
        (unsend, "its message is not put yet"),
        (hold, "w7 is at it (infer, 42%)"),
        (give_up, "until `fleetctl poison replay"),
        (die, "w1 has said nothing since"),
        (throttle, "(source: 429)"),
        (garble_time, "a worker receives it when its turn comes"),
    ],
)
def test_what_happens_next_to_a_tile_without_a_result(asked, arrange, sentence):
    arrange(asked)
    assert sentence in next_step(story_of(asked), NOW)


def test_the_page_shows_everything_and_nothing_that_moves_the_cursor(asked):
    give_up(asked)
    die(asked)
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(story_page(story_of(asked), NOW))
    page = console.export_text()
    for words in (
        asked.job.id,
        "message put",
        "a1",
        "w1",
        "3 bands\\x1b[2J",
        "a line",
        "next: nothing until",
    ):
        assert words in page
    assert "\x1b[2J" not in page


def test_the_results_name_artifacts_generations_and_revocations(done):
    revoke(done.store, done.job.dataset, TILE, 1, "cloudy")
    record = story_json(story_of(done), NOW)
    (result,) = record["results"]
    assert result["artifacts"] == [f"toy/2024/{TILE.name}/0.bin", f"toy/2024/{TILE.name}/1.bin"]
    assert result["revoked"].endswith("cloudy")
    assert record["asked"][0]["job"] == done.job.id


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        (
            {"scenes": {"found": 9, "used": 7, "lost": {"expired": 1, "429": 1}}},
            "9 found, 7 used, lost: 1 429, 1 expired",
        ),
        ({"scenes": {"found": 9, "used": 9, "lost": {}}}, "9 found, 9 used, none lost"),
        ({"scenes": "many"}, ""),
        ({}, ""),
    ],
)
def test_lost_scenes_are_told_where_the_recipe_counts_them(done, provenance, words):
    assert scenes_of(replace(done.record(TILE), provenance=provenance)) == words
