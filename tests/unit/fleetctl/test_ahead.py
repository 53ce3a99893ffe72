"""Reading ahead: in order, bounded, and ended by the first error."""

from __future__ import annotations

import threading

import pytest

from fleetctl.ahead import read_ahead


def test_answers_come_in_the_order_of_the_items_whoever_is_ready_first():
    second_is_done = threading.Event()

    def answer(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(10)
        if item == 1:
            second_is_done.set()
        return item * item

    assert list(read_ahead(answer, range(5), threads=2)) == [(n, n * n) for n in range(5)]


def test_no_more_is_taken_than_twice_the_threads():
    taken = 0

    def items():
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    answers = read_ahead(lambda item: item, items(), threads=3)
    for number in range(20):
        assert next(answers) == (number, number)
        assert taken <= number + 6
    answers.close()


def test_the_first_error_ends_it():
    def fail_at_three(item: int) -> int:
        if item == 3:
            raise OSError("gone")
        return item

    answers = read_ahead(fail_at_three, range(100), threads=2)
    assert [next(answers) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(OSError, match="gone"):
        next(answers)
