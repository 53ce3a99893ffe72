"""Two drills as a person types them, and the check that ends every drill: it must be able to fail."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from contract import artifact_names
from contract.outcomes import Cause
from contract.tile_id import parse_tile
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.laws import Expected, check
from laptop_cloud.drills.stage import playing
from laptop_cloud.drills.toy_tiles import artifact_name

pytestmark = pytest.mark.slow


def type_drill(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fleetctl", "drill", *words],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_drills_that_end_well_say_what_they_cost_and_leave_nothing_behind():
    done = type_drill("two-workers-one-tile", "slow-holder", "--seed", "3", "--parallel", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 drills ended well" in done.stdout
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in rows] == ["drill", "---", "two-workers-one-tile", "slow-holder"]
    assert "a finished tile delivered again: 3 requests" in rows[2][-1]
    assert "one second attempt" in rows[3][-1]


@pytest.fixture(scope="module")
def finished(azurite, tmp_path_factory):
    """A job that a worker did without any disturbance, when all have left."""
    with ExitStack() as stack:
        stage = stack.enter_context(
            playing(azurite, tmp_path_factory.mktemp("fleet"), 1, random.Random(1), threading.Event())
        )
        asked = stage.ask(6, infer_seconds=0)
        stage.await_end(asked)
        stage.await_empty_queues()
        stage.dismiss()
        check(stage, asked, Expected())
        yield stage, asked


def published(asked, tile):
    return artifact_names.published(asked.job.dataset, artifact_name(tile, 0))


def lose_an_artifact(stage, asked):
    name = published(asked, asked.tiles[0])
    kept = stage.store.read(name)
    stage.store.delete(name)
    return lambda: stage.store.put(name, kept.data, metadata=kept.info.metadata)


def swap_two_results(stage, asked):
    """Each as long as the other, stored with its right MD5: only the names are wrong."""
    names = [published(asked, tile) for tile in asked.tiles[:2]]
    kept = [stage.store.read(name) for name in names]
    for name, other in zip(names, reversed(kept), strict=True):
        stage.store.put(name, other.data, metadata=other.info.metadata)

    def restore():
        for name, one in zip(names, kept, strict=True):
            stage.store.put(name, one.data, metadata=one.info.metadata)

    return restore


def commit_twice(stage, asked):
    tile = parse_tile(asked.tiles[0])
    name = artifact_names.commit(asked.job.dataset, tile, 1)
    extra = artifact_names.commit(asked.job.dataset, tile, 2)
    kept = stage.store.read(name)
    stage.store.put(extra, kept.data, metadata=kept.info.metadata)
    return lambda: stage.store.delete(extra)


def leave_a_message(stage, _asked):
    stage.queues.urgent.send("{}")
    return lambda: stage.queues.urgent.complete(stage.queues.urgent.receive(1, 30)[0])


def keep_a_foreign_message(stage, _asked):
    name = artifact_names.poison_foreign("0" * 64)
    stage.store.put(name, b"{}")
    return lambda: stage.store.delete(name)


@pytest.mark.parametrize(
    ("sabotage", "law"),
    [
        (lose_an_artifact, "asked = committed"),
        (swap_two_results, "asked = committed"),
        (commit_twice, "committed"),
        (leave_a_message, "no message is left"),
        (keep_a_foreign_message, "deserves it"),
    ],
)
def test_the_check_names_the_law_that_is_broken(finished, sabotage, law):
    stage, asked = finished
    restore = sabotage(stage, asked)
    try:
        with pytest.raises(DrillFailed, match=law):
            check(stage, asked, Expected())
    finally:
        restore()
    check(stage, asked, Expected())


def test_a_planted_tile_that_is_done_all_the_same_breaks_a_law(finished):
    stage, asked = finished
    with pytest.raises(DrillFailed):
        check(stage, asked, Expected(given_up={asked.tiles[0]: Cause.TILE}))


def test_a_failure_tells_the_history_of_its_tile(finished):
    stage, asked = finished
    history = stage.history(asked.tiles[0])
    assert asked.job.id in history
    assert "vm-1-s0" in history


def test_a_job_that_ends_before_anybody_is_seen_at_work_is_not_waited_for(finished):
    stage, asked = finished
    with pytest.raises(DrillFailed, match="ended before that"):
        stage.victim(asked)


def test_a_drill_that_nobody_knows_is_one_sentence_and_status_2():
    done = type_drill("earthquake")
    assert done.returncode == 2
    assert "there is no drill 'earthquake'; there are: all, eviction-with-notice" in done.stderr
    assert "Traceback" not in done.stderr
