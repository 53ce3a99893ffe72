"""What `--where` understands, what it refuses, and what a commit's record looks like to it."""

from __future__ import annotations

import pytest

from contract.errors import BadInput
from fleetctl.redo.condition import flatten, parse_condition

FACTS = flatten(
    {
        "worker": "vm-3",
        "outcome": "done",
        "seconds": {"download": 100, "infer": 250.5},
        "scenes": {"found": 12, "lost": {"404": 1, "timeout": 2}, "from": "catalogue"},
        "infer_ended": None,
        "is_kept": True,
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lost>0", True),
        (" lost > 3 ", False),
        ("lost=3", True),
        ("lost==3.0 and found<=12", True),
        ("scenes.lost.404>=1", True),
        ("seconds>350 and seconds.infer<251", True),
        ("infer!=250.5", False),
        ("worker=vm-3", True),
        ("worker='vm-3' and from=\"catalogue\"", True),
        ("worker!=vm-3 or outcome=done", True),
        ("outcome=empty or worker=vm-3 and lost=0", False),
        ("outcome=3", False),
        ("infer_ended>0", False),
        ("is_kept=true", True),
        ("lost>-1", True),
    ],
)
def test_a_condition_holds_or_does_not(text, expected):
    assert parse_condition(text).holds(FACTS) is expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no comparison"),
        ("lost", "no comparison"),
        ("lost>", "no comparison"),
        ("0<lost", "no comparison"),
        ("lost>0 and", "no comparison"),
        ("lost>0 xor found=1", "neither `and` nor `or`"),
        ("lost>many", "needs a number"),
        ("__import__('os').system('x')", "cannot be read"),
        ("lost>0; drop", "cannot be read"),
        ("lost>1e400", "cannot be read"),
        ("a" * 501, "501 characters"),
    ],
)
def test_what_is_no_condition_is_refused(text, complaint):
    with pytest.raises(BadInput, match=complaint):
        parse_condition(text)


def test_the_same_condition_has_one_text():
    assert str(parse_condition("lost>0 and  found<2")) == str(parse_condition(" lost > 0 and found < 2"))


def test_a_short_name_is_known_only_where_it_means_one_thing():
    facts = flatten({"a": {"count": 1, "x": "y"}, "b": {"count": 2, "x": "y"}, "empty": {}})
    assert "count" not in facts
    assert (facts["a.count"], facts["empty"]) == (1.0, 0.0)
