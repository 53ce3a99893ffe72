"""How many requests at a time: what raises the number, what halves it, and who shares it."""

import json
import threading
from dataclasses import replace

import pytest

from consumer.imagery import answers, pace
from consumer.imagery.answers import Verdict, judge, next_try, read_retry_after
from consumer.imagery.pace import FIRST_LIMIT, HIGHEST_LIMIT, Pace, Round, after_complaint, after_round
from consumer.imagery.pace_board import OwnBoard, SharedBoard
from consumer.imagery.turns import Turns
from contract.errors import Stopped


def full_round(at, rate):
    return Round(ended_at=at, seconds=1.0, answered_bytes=rate, was_full=True)


def test_more_connections_while_each_round_is_faster_and_no_more_after_that():
    now = Pace()
    for second, rate in enumerate((100, 150, 200), start=1):
        now = after_round(now, full_round(second, rate))
    assert now.limit == FIRST_LIMIT + 3 * pace.STEP
    for second in range(4, 10):
        now = after_round(now, full_round(second, 200))
    assert now.limit == FIRST_LIMIT + 3 * pace.STEP


def test_rounds_that_never_used_the_limit_say_nothing_about_it():
    idle = Round(ended_at=1, seconds=1, answered_bytes=10**9, was_full=False)
    assert after_round(Pace(), idle).limit == FIRST_LIMIT


def test_there_is_a_cap():
    now = Pace()
    for second in range(1, 200):
        now = after_round(now, full_round(second, 2.0**second))
    assert now.limit == HIGHEST_LIMIT


def test_complaints_halve_once_for_all_that_was_under_way():
    now = after_complaint(Pace(limit=40), now=10.0, retry_after_seconds=None, seconds_under_way=1.0)
    assert now.limit == 20
    now = after_complaint(now, now=10.5, retry_after_seconds=3.0, seconds_under_way=1.0)
    assert (now.limit, now.paused_until) == (20, 13.5)
    now = after_complaint(now, now=14.0, retry_after_seconds=None, seconds_under_way=0.2)
    assert now.limit == 10
    for second in range(20, 40):
        now = after_complaint(now, now=second, retry_after_seconds=None, seconds_under_way=0.2)
    assert now.limit == 1


def test_after_a_complaint_it_grows_again():
    now = after_complaint(replace(Pace(), best_rate=500.0, best_at=9.0), 10.0, None, 0.1)
    assert after_round(now, full_round(12, 100)).limit == FIRST_LIMIT // 2 + pace.STEP


def test_a_turn_waits_for_the_end_of_another_and_for_a_stop():
    turns = Turns()
    turns._board._paces["host"] = Pace(limit=1)
    stop, inside = threading.Event(), threading.Event()

    def second():
        with turns.turn("host", stop):
            inside.set()

    with turns.turn("host", stop):
        thread = threading.Thread(target=second)
        thread.start()
        assert not inside.wait(0.05)
    assert inside.wait(5)
    thread.join()
    stop.set()
    with pytest.raises(Stopped), turns.turn("host", stop):
        pass


def test_a_named_time_to_wait_is_obeyed_by_everybody():
    clock = iter_clock()
    turns = Turns(clock=clock)
    with turns.turn("host", threading.Event()) as turn:
        turn.is_complaint, turn.retry_after_seconds = True, 100.0
    assert turns.limit("host") == FIRST_LIMIT // 2
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(Stopped), turns.turn("host", stop):
        pass
    clock.now += 101
    with turns.turn("host", threading.Event()):
        pass
    with turns.turn("other", threading.Event()):
        assert turns.limit("other") == FIRST_LIMIT


class iter_clock:  # noqa: N801  called like time.monotonic
    now = 1000.0

    def __call__(self):
        return self.now


def test_slots_see_each_others_complaints_and_share_the_limit(tmp_path):
    board, other = SharedBoard(tmp_path), SharedBoard(tmp_path)
    board.change("host:443", 5.0, lambda old: replace(old, limit=10))
    assert other.change("host:443", 6.0, lambda old: old) == (replace(Pace(), limit=10), 1)
    (path,) = tmp_path.iterdir()
    record = json.loads(path.read_text())
    record["processes"]["12345"] = 6.0
    path.write_text(json.dumps(record))
    assert board.change("host:443", 7.0, lambda old: old)[1] == 2
    assert board.change("host:443", 7.0 + 121, lambda old: old)[1] == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"pace": {}, "processes": {}}', b'{"pace": null, "processes": 3}', b"\xff" * 100],
)
def test_a_damaged_board_is_begun_anew(tmp_path, content):
    (tmp_path / "host.json").write_bytes(content)
    assert SharedBoard(tmp_path).change("host", 5.0, lambda old: old) == (Pace(), 1)


def test_a_board_of_the_time_before_the_last_boot_is_begun_anew(tmp_path):
    SharedBoard(tmp_path).change("host", 9000.0, lambda old: replace(old, limit=2, best_at=8999.0))
    assert SharedBoard(tmp_path).change("host", 5.0, lambda old: old) == (Pace(), 1)


def test_without_a_place_for_the_board_each_slot_goes_by_itself(tmp_path):
    (tmp_path / "file").touch()
    board = SharedBoard(tmp_path / "file" / "below")
    board.change("host", 5.0, lambda old: replace(old, limit=3))
    assert board.change("host", 5.0, lambda old: old) == (replace(Pace(), limit=3), 1)
    assert OwnBoard().change("host", 5.0, lambda old: old) == (Pace(), 1)


def test_verdicts():
    assert judge(200) is judge(206) is Verdict.READABLE
    assert judge(404) is judge(410) is Verdict.MISSING
    assert judge(401) is judge(403) is Verdict.EXPIRED
    assert judge(429) is judge(503) is Verdict.THROTTLED
    assert {judge(status) for status in (None, 408, 409, 500, 502, 504)} == {Verdict.FAILING}
    assert {judge(status) for status in (301, 302, 400, 405, 416)} == {Verdict.FOREIGN}


def test_pauses_double_up_to_a_limit_and_are_spread():
    assert [next_try(attempt, 0, 1.0).seconds for attempt in range(7)] == [0.5, 1, 2, 4, 8, 16, 16]
    assert [next_try(attempt, 0, 0.0).seconds for attempt in range(3)] == [0.25, 0.5, 1.0]


def test_the_storages_own_word_counts_where_it_is_longer():
    assert next_try(0, 0, 1.0, retry_after_seconds=7).seconds == 7
    assert next_try(4, 0, 1.0, retry_after_seconds=1).seconds == 8
    assert next_try(0, 0, 1.0, retry_after_seconds=answers.PATIENCE_SECONDS + 1).seconds is None
    assert next_try(0, answers.PATIENCE_SECONDS, 1.0).seconds is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3), ("0.5", 0.5), ("-4", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None), ("1e9", 3600)],
)
def test_what_a_storage_asks_for_is_read_with_care(text, seconds):
    assert read_retry_after(text) == seconds
