"""One checkpoint blob: what is written comes back, and nothing else passes for it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.checkpoints.part import MOST_HEADER_BYTES, NotUsable, read_blocks, read_header, write_part

BLOCKS = [(b"abc", b"defg"), (memoryview(b"hij"), b"")]


def written(blocks=BLOCKS, **changes) -> bytes:
    values = {
        "first": 2,
        "total": 9,
        "after": "x/000002",
        "fingerprint": {"cube": "1"},
        "inputs": [["s", "1"]],
    }
    file = io.BytesIO()
    length = write_part(file, blocks, **{**values, **changes})
    assert length == len(file.getvalue())
    return file.getvalue()


def test_what_was_written_is_read():
    data = written()
    part = read_header(data)
    assert (part.first, part.finished, part.total, part.after) == (2, 4, 9, "x/000002")
    assert (part.fingerprint, part.inputs) == ({"cube": "1"}, [["s", "1"]])
    assert [[bytes(b) for b in block] for block in read_blocks(part, data)] == [
        [b"abc", b"defg"],
        [b"hij", b""],
    ]


def test_the_header_alone_can_be_checked():
    data = written()
    assert read_header(data[: -len(b"abcdefghij")]) == read_header(data)


@given(st.integers(0, 500), st.integers(1, 255))
def test_no_byte_can_change_unnoticed(position, flip):
    data = bytearray(written())
    data[position % len(data)] ^= flip
    with pytest.raises(NotUsable):
        read_blocks(read_header(bytes(data)), bytes(data))


@given(st.integers(0, 500))
def test_no_length_but_the_right_one_is_accepted(length):
    data = written()
    with pytest.raises(NotUsable):
        read_blocks(read_header(data[: length % len(data)]), data[: length % len(data)])
    with pytest.raises(NotUsable):
        read_blocks(read_header(data), data + b"x")


@given(st.binary(max_size=300))
def test_whatever_the_bytes_they_are_refused_in_a_sentence(data):
    with pytest.raises(NotUsable, match="it"):
        read_header(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"first": 8},  # more blocks than the tile has
        {"first": 0},  # the first blocks follow upon none
        {"after": ""},  # later ones follow upon some
        {"total": 10**9},
    ],
)
def test_a_header_that_contradicts_itself_is_refused(changes):
    with pytest.raises(NotUsable, match="not as promised"):
        read_header(written(**changes))


def test_a_scene_list_that_no_header_can_hold_is_not_written():
    with pytest.raises(ValueError, match=str(MOST_HEADER_BYTES)):
        written(inputs=["s" * 100] * 6000)
