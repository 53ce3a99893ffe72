"""Numbers in words."""

from __future__ import annotations

import pytest

from fleetctl import phrases


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0.071, "0.07 s"),
        (42.4, "42 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (5 * 3600 + 12 * 60, "5 h 12 min"),
        (76 * 3600, "3 d 4 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float | None, words: str):
    assert phrases.duration(seconds) == words


@pytest.mark.parametrize(("per_hour", "words"), [(None, "-"), (7.25, "7.2/h"), (12345.6, "12,346/h")])
def test_a_rate_has_a_decimal_only_where_it_is_slow(per_hour: float | None, words: str):
    assert phrases.rate(per_hour) == words


def test_shares_and_sizes():
    assert phrases.share(0.9512) == "95.1%"
    assert phrases.percent(None) == "-"
    assert phrases.size(3_200_000) == "3.2 MB"


@pytest.mark.parametrize(
    ("amount", "words"), [(0.0, "0.00"), (1250.0, "1250.00"), (0.5, "0.50"), (0.0451, "0.0451")]
)
def test_small_money_is_told_with_more_digits(amount, words):
    assert phrases.usd(amount) == words


def test_traffic_and_budget_are_told_where_there_are_any():
    assert phrases.spent(12.3, 0.0) == "12.30 USD spent"
    assert phrases.spent(12.3, 0.75, 20.0) == "12.30 of 20.00 USD spent (0.75 for traffic)"
