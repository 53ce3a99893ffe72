"""The message's text: it comes back as it was, stays small, and nothing else passes for one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.outcomes import Cause
from contract.tile_id import GridCell, WebTile
from contract.tile_message import (
    KEPT_ATTEMPTS,
    MAX_CHARACTERS,
    Begun,
    NotOurs,
    PastAttempt,
    TileMessage,
    checkpoint_blocks,
    decode_message,
    fitting_word,
)

PLAIN = TileMessage(job="isle-of-man-2024-00000000", dataset="toy-2024-00000000", tile=GridCell(541, -46))
WORDS = st.sampled_from(["", "w1", "TypeError:0123456789", "a/b:c.d-e_f", "w" * 63, "x" * 120])
COUNTS = st.integers(0, 99_999)
MESSAGES = st.builds(
    TileMessage,
    job=st.sampled_from([PLAIN.job, "j" * 61]),
    dataset=st.sampled_from([PLAIN.dataset, "d" * 81]),
    tile=st.sampled_from([GridCell(541, -46), GridCell(-900, 1799), WebTile(22, 4_194_303, 0)]),
    generation=st.integers(1, 9999),
    tries=st.dictionaries(st.sampled_from(Cause), COUNTS),
    returns=COUNTS,
    fruitless=COUNTS,
    solo_deaths=COUNTS,
    harmed=st.lists(WORDS, max_size=3).map(tuple),
    past=st.lists(
        st.builds(PastAttempt, WORDS, WORDS, st.sampled_from(Cause), WORDS), max_size=KEPT_ATTEMPTS
    ).map(tuple),
    begun=st.none() | st.builds(Begun, WORDS, WORDS, WORDS, WORDS, st.booleans()),
    checkpoint=st.sampled_from(["", "checkpoints/d/t/g1/a/000003", "c" * 240]),
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was_but_for_the_oldest_attempts_that_do_not_fit(message):
    text = message.encode()
    assert len(text) < MAX_CHARACTERS
    assert text.isascii()
    again = decode_message(text)
    assert replace(again, past=()) == replace(message, past=())
    assert again.past == message.past[len(message.past) - len(again.past) :]


def test_the_longest_words_leave_no_history_and_the_usual_ones_all_of_it():
    long = PastAttempt("a" * 120, "w" * 120, Cause.SILENT_DEATH, "r" * 120)
    full = replace(
        PLAIN,
        past=(long,) * 4,
        begun=Begun("a" * 120, "w" * 120, "v" * 120, "b" * 120, is_solo=True),
        harmed=("x" * 120, "y" * 120, "z" * 120),
        checkpoint="c" * 240,
    )
    assert len(decode_message(full.encode()).past) < 4
    usual = PastAttempt("0123456789ab", "w" * 63, Cause.SILENT_DEATH, "TypeError:0123456789")
    assert len(decode_message(replace(full, past=(usual,) * 4, harmed=(), checkpoint="").encode()).past) == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted(json.loads(replace(PLAIN, checkpoint="c", harmed=("w",), fruitless=1, returns=1).encode()))
FIELDS += ["begun", "past", "solo_deaths", "tries", "surprise"]


def is_refused_or_ours(text: str) -> None:
    reason, message = "", PLAIN
    try:
        message = decode_message(text)
    except NotOurs as error:
        reason = str(error)
    assert decode_message(message.encode()) == message
    assert reason.isprintable()
    assert len(reason) < 400


@given(st.text() | JSON.map(json.dumps) | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_any_text_is_ours_or_refused_with_a_printable_reason(text):
    is_refused_or_ours(text)


@given(st.sampled_from(FIELDS), JSON)
def test_any_value_in_any_field_is_ours_or_refused(field, value):
    is_refused_or_ours(json.dumps({**json.loads(PLAIN.encode()), field: value}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 64 * 1024,
        "[" * 2000,
        '{"v":' + "9" * 2000 + "}",
        '{"v":true}',
        '{"v":1.0}',
        PLAIN.encode().replace('"tile":"grid_', '"tile":"../../../grid_'),
        PLAIN.encode().replace("toy-2024", "../toy-2024"),
        PLAIN.encode().replace("isle-of-man", "isle/../of"),
        PLAIN.encode().replace("grid_", "grid_\\u0000"),
        PLAIN.encode().replace("grid_", "\\ud800"),
        PLAIN.encode().replace('"v":1', '"v":2'),
        PLAIN.encode().replace('"generation":1', '"generation":NaN'),
        PLAIN.encode().replace('"v":1', '"v":1,"past":"abcd"'),
        PLAIN.encode().replace('"v":1', '"v":1,"tries":[["tile",1]]'),
        PLAIN.encode().replace('"v":1', '"v":1,"tries":{"boredom":1}'),
        PLAIN.encode().replace('"v":1', '"v":1,"begun":["a","w","v","b",1]'),
        PLAIN.encode().replace('"v":1', '"v":1,"begun":null'),
    ],
)
def test_what_no_program_of_ours_sends_is_refused(text):
    assert text != PLAIN.encode()
    with pytest.raises(NotOurs):
        decode_message(text)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("", 0), ("000012", 12), ("checkpoints/d/t/g1/a/000012", 12), ("checkpoints/d/t/g1/a/", 0), ("x/-3", 0)],
)
def test_the_blocks_of_a_checkpoint_are_in_its_name(name, blocks):
    assert checkpoint_blocks(name) == blocks


def test_a_word_that_a_message_cannot_carry_is_left_out():
    assert fitting_word("vm-7.west") == "vm-7.west"
    assert fitting_word("Büro PC") == ""
    assert fitting_word("v" * 121) == ""
