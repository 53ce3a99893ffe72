"""A job from its plan to messages: what is asked twice, done, held back, paused."""

from __future__ import annotations

import pytest

from contract import artifact_names
from contract.errors import BadInput
from contract.job import JobState, JobStatus
from contract.job_store import (
    asked_tiles,
    list_jobs,
    read_asked,
    read_dataset,
    read_job,
    read_status,
    write_status,
)
from contract.tile_id import TileId
from producer.enqueue import Storage, check_storage, enqueue_job, keep_boundaries, preview_job
from tests.producer_rig import NOW, Quiet, Rig, names, plan


@pytest.fixture
def rig() -> Rig:
    return Rig(lambda: 1_000_000.0)


def enqueue(storage: Storage, asked):
    return enqueue_job(storage, asked, now=NOW, watcher=Quiet())


def commit(rig: Rig, asked, tile: TileId, generation: int = 1, *, is_revoked: bool = False) -> None:
    store = rig.client().store
    store.put(artifact_names.commit(asked.dataset.name, tile, generation), b"")
    if is_revoked:
        store.put(artifact_names.revocation(asked.dataset.name, tile, generation), b"")


def set_state(rig: Rig, job: str, state: JobState) -> None:
    store = rig.client().store
    write_status(store, job, JobStatus(state, "by hand", NOW), if_etag=read_status(store, job).etag)


def test_every_asked_tile_gets_a_message_of_its_job(rig):
    asked = plan(150)
    outcome = enqueue(rig.client(), asked)
    messages = rig.messages()
    assert names(messages) == asked.asked.decode().split()
    assert {(message.job, message.dataset, message.generation) for message in messages} == {
        (asked.job.id, asked.dataset.name, 1)
    }
    assert (outcome.asked, outcome.new, outcome.done, outcome.queued) == (150, 150, 0, 0)


def test_asking_again_adds_nothing_and_says_so(rig):
    asked = plan(150)
    enqueue(rig.client(), asked)
    outcome = enqueue(rig.client(), plan(150))
    assert (outcome.new, outcome.done + outcome.queued) == (0, 150)
    assert rig.client().queues.tiles.depth() == 150


def test_the_records_can_be_read_back(rig):
    asked = plan(150, canary_count=5)
    enqueue(rig.client(), asked)
    store = rig.client().store
    assert [job.id for job in list_jobs(store)] == [asked.job.id]
    assert read_job(store, asked.job.id) == asked.job
    assert read_asked(store, asked.job) == asked.asked
    assert read_dataset(store, asked.job.dataset) == asked.dataset


@pytest.mark.parametrize("count", [20, 150])
def test_done_tiles_are_left_out_and_revoked_ones_are_asked_in_their_next_generation(rig, count):
    asked = plan(count)
    tiles = list(asked_tiles(asked.asked))
    commit(rig, asked, tiles[3])
    commit(rig, asked, tiles[4], 2, is_revoked=True)
    outcome = enqueue(rig.client(), asked)
    messages = {message.tile: message.generation for message in rig.messages()}
    assert tiles[3] not in messages
    assert (messages[tiles[4]], messages[tiles[5]]) == (3, 1)
    assert (outcome.new, outcome.done, outcome.queued) == (count - 1, 1, 0)


def test_another_job_leaves_out_what_the_first_one_has_done(rig):
    first, second = plan(20), plan(30, label="more")
    enqueue(rig.client(), first)
    for tile in asked_tiles(first.asked):
        commit(rig, first, tile)
    outcome = enqueue(rig.client(), second)
    assert (outcome.new, outcome.done, outcome.queued) == (10, 20, 0)


def test_an_urgent_job_goes_to_the_urgent_queue(rig):
    enqueue(rig.client(), plan(5, is_urgent=True))
    assert len(rig.messages("toy-urgent")) == 5
    assert rig.messages() == []


def test_a_canary_goes_first_and_the_rest_after_approval(rig):
    asked = plan(100, canary_count=4)
    first = enqueue(rig.client(), asked)
    assert (first.state, first.new, first.held_back) == (JobState.CANARY, 4, 96)
    assert names(rig.messages()) == asked.asked.decode().split()[:4]

    again = enqueue(rig.client(), asked)
    assert (again.new, again.queued, again.held_back) == (0, 4, 96)

    set_state(rig, asked.job.id, JobState.RUNNING)
    rest = enqueue(rig.client(), asked)
    assert (rest.new, rest.queued, rest.held_back) == (96, 4, 0)
    assert names(rig.messages()) == asked.asked.decode().split()[4:]


@pytest.mark.parametrize(
    ("state", "remedy"), [(JobState.PAUSED, "resume it first"), (JobState.CANCELLED, "another --job name")]
)
def test_a_paused_or_cancelled_job_says_so_and_adds_nothing(rig, state, remedy):
    asked = plan(100, canary_count=4)
    enqueue(rig.client(), asked)
    set_state(rig, asked.job.id, state)
    for attempt in (
        lambda: enqueue(rig.client(), asked),
        lambda: preview_job(rig.client().store, asked),
    ):
        with pytest.raises(BadInput, match=rf"{state.value} \(by hand\).*{remedy}"):
            attempt()
    assert rig.client().queues.tiles.depth() == 4


def test_a_finished_job_has_nothing_new(rig):
    asked = plan(5)
    enqueue(rig.client(), asked)
    set_state(rig, asked.job.id, JobState.FINISHED)
    assert enqueue(rig.client(), asked).new == 0


def test_a_preview_counts_what_would_be_and_writes_nothing(rig):
    asked = plan(100, canary_count=10)
    tile = next(asked_tiles(asked.asked))
    commit(rig, asked, tile)
    before = rig.blobs()
    would = preview_job(rig.client().store, asked)
    assert (rig.blobs(), rig.client().queues.tiles.depth()) == (before, 0)
    assert (would.new, would.done, would.held_back) == (9, 1, 90)
    did = enqueue(rig.client(), asked)
    assert (did.new, did.done, did.held_back) == (would.new, would.done, would.held_back)
    assert preview_job(rig.client().store, asked).new == 0


def test_a_dataset_record_that_somebody_changed_is_not_joined(rig):
    asked = plan(5)
    rig.client().store.put(artifact_names.dataset_record(asked.dataset.name), b"{}")
    with pytest.raises(BadInput, match="differs"):
        enqueue(rig.client(), asked)
    assert rig.client().queues.tiles.depth() == 0


def test_counts_always_add_up_to_what_was_asked(rig):
    asked = plan(200, canary_count=20)
    tiles = list(asked_tiles(asked.asked))
    enqueue(rig.client(), asked)
    for index in (0, 19, 20, 150, 199):
        commit(rig, asked, tiles[index])
    outcome = enqueue(rig.client(), asked)
    assert (outcome.new, outcome.done, outcome.queued, outcome.held_back) == (0, 5, 18, 177)
    assert outcome.new + outcome.done + outcome.queued + outcome.held_back == outcome.asked


def test_boundaries_are_stored_once(rig):
    made: list[bytes] = []

    def land() -> bytes:
        made.append(b"polygons")
        return made[-1]

    for _ in range(2):
        keep_boundaries(rig.client().store, "a" * 64, land)
    assert len(made) == 1
    assert rig.client().store.read(artifact_names.boundaries("a" * 64)).data == b"polygons"


def test_a_missing_queue_is_found_before_anything_is_written(rig):
    client = rig.client()
    missing = rig.queues.queue("never-made")
    with pytest.raises(BadInput, match=r"never-made.*make the fleet's container and queues first"):
        check_storage(Storage(client.store, type(client.queues)(client.queues.tiles, missing, missing)))
