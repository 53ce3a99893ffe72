"""Blocks as two threads share them, and when a checkpoint is worth its upload."""

from __future__ import annotations

import pytest

from consumer.checkpoints.blocks import Blocks
from consumer.checkpoints.due import expected_seconds, remaining_seconds


def test_restored_blocks_count_as_finished_and_are_not_stored_again():
    blocks = Blocks({}, 5)
    blocks.restore([(b"0",), (b"1",)])
    assert (blocks.restored, blocks.finished, blocks.since(0)) == (2, 2, [])
    assert blocks.take_restored() == [(b"0",), (b"1",)]
    blocks.finish(memoryview(b"22"))
    blocks.finish(memoryview(b"333"))
    assert blocks.finished == 4
    assert [bytes(buffer) for (buffer,) in blocks.since(2)] == [b"22", b"333"]
    assert [bytes(buffer) for (buffer,) in blocks.since(3)] == [b"333"]
    assert (blocks.bytes_since(2), blocks.bytes_since(4)) == (5, 0)


def test_an_inference_that_is_run_twice_begins_at_its_first_block():
    blocks = Blocks({}, 5)
    blocks.take_restored()
    blocks.finish(memoryview(b"0"))
    assert blocks.take_restored() == []
    assert blocks.finished == 0


def test_more_blocks_than_the_tile_has_are_refused():
    with pytest.raises(ValueError, match="3 blocks"):
        Blocks({}, 2).restore([(b"",)] * 3)


@pytest.mark.parametrize(
    ("median", "elapsed", "gained", "expected"),
    [
        (None, 600, 0.0, None),  # nothing is known
        (None, 600, 0.5, 1200),  # the first tile: by its own progress
        (300, 10, 0.5, 300),  # later ones: by those before
        (300, 1000, 0.1, 1000),  # but it takes longer already
    ],
)
def test_how_long_a_tile_takes(median, elapsed, gained, expected):
    assert expected_seconds(median, elapsed, gained) == expected


@pytest.mark.parametrize(
    ("median", "elapsed", "progress", "gained", "remaining"),
    [
        (None, 10, 0.0, 0.0, 0),
        (100, 10, 0.0, 0.0, 90),
        (100, 200, 0.0, 0.0, 0),
        (100, 10, 0.1, 0.1, 90),
        (100, 10, 0.9, 0.1, 10),  # an earlier attempt did the first 80 %
        (100, 10, 0.8, 0.0, 10),  # restored, nothing gained yet
    ],
)
def test_how_long_it_still_takes(median, elapsed, progress, gained, remaining):
    assert remaining_seconds(median, elapsed, progress=progress, gained=gained) == pytest.approx(remaining)
