"""Which years a person can ask for."""

from __future__ import annotations

from datetime import date

import pytest

from contract.errors import BadInput
from producer.period import parse_years

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "years"),
    [(None, (2025,)), ("2024", (2024,)), (" 2017 ", (2017,)), ("2017-2025", tuple(range(2017, 2026))),
     ("2020-2020", (2020,))],
)  # fmt: skip
def test_years_that_are_over(text, years):
    assert parse_years(text, today=TODAY) == years


def test_on_new_years_day_the_last_year_is_complete():
    assert parse_years(None, today=date(2027, 1, 1)) == (2026,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2026", "2026 is not over.*2025, or add --partial-year"),
        ("2024-2026", "2026 is not over"),
        ("2027", "2027 has not begun.*2025"),
        ("2016", "2016 is too early.*2017"),
        ("2025-2024", "backwards; write 2024-2025"),
        ("24", "neither a year"),
        ("", "neither a year"),
        ("2024,2025", "neither a year"),
        ("２０２４", "neither a year"),  # noqa: RUF001 - digits that are not ASCII
    ],
)
def test_other_years_are_refused_in_a_sentence(text, sentence):
    with pytest.raises(BadInput, match=sentence):
        parse_years(text, today=TODAY)


def test_the_unfinished_year_can_be_asked_for_and_the_next_one_cannot():
    assert parse_years("2025-2026", today=TODAY, is_partial_allowed=True) == (2025, 2026)
    with pytest.raises(BadInput, match="not begun"):
        parse_years("2027", today=TODAY, is_partial_allowed=True)
