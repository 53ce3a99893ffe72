"""Which checkpoint is gone on from: the longest whose fingerprint equals ours, with all that come before it."""

from __future__ import annotations

import pytest

from consumer.checkpoints.find import MOST_TRIED, Finder, differences, longest_first
from consumer.checkpoints.part import NotUsable, Part

PREFIX = "checkpoints/d/grid/g1/"
OURS = {"cube": "1", "dtype": "fp32"}


def part(first: int, finished: int, after: str = "", **fingerprint: str) -> Part:
    after = f"{PREFIX}{after}" if after else ""
    lengths = ((1,),) * (finished - first)
    return Part(first, finished, 999, after, {**OURS, **fingerprint}, None, lengths, "0" * 64)


def finder_of(parts: dict[str, Part]) -> Finder:
    stored = {f"{PREFIX}{name}": value for name, value in parts.items()}

    def header(name: str) -> Part:
        if stored[name] is None:
            raise NotUsable("it is torn")
        return stored[name]

    return Finder(PREFIX, sorted(stored), header)


def found(parts: dict[str, Part]) -> list[tuple[str, int]]:
    return [(f.name.removeprefix(PREFIX), len(f.parts)) for f in finder_of(parts).matching(OURS)]


def test_the_one_with_the_most_blocks_comes_first_whatever_its_attempt():
    parts = {"a/000002": part(0, 2), "b/000005": part(0, 5), "c/000003": part(0, 3)}
    assert found(parts) == [("b/000005", 1), ("c/000003", 1), ("a/000002", 1)]


def test_among_equals_every_worker_takes_the_same():
    assert found({"b/000002": part(0, 2), "a/000002": part(0, 2)}) == [("a/000002", 1), ("b/000002", 1)]


def test_a_checkpoint_counts_with_all_that_come_before_it_across_attempts():
    parts = {
        "a/000002": part(0, 2),
        "a/000004": part(2, 4, "a/000002"),
        "b/000007": part(4, 7, "a/000004"),
    }
    assert found(parts)[0] == ("b/000007", 3)


@pytest.mark.parametrize(
    "last",
    [
        None,
        part(4, 7, "a/000003"),  # what comes before is not there
        part(5, 7, "a/000004"),  # a block lacks in between
        part(3, 7, "a/000004"),  # or comes twice
        part(4, 7, "a/000004", cube="2"),
        part(4, 6, "a/000004"),  # not what its name says
        part(4, 7, "../../../commits/grid/g1"),
        part(6, 7, "b/000007"),  # its own successor
    ],
)
def test_one_that_is_torn_broken_off_or_foreign_gives_way_to_the_next(last):
    parts = {"a/000002": part(0, 2), "a/000004": part(2, 4, "a/000002"), "b/000007": last}
    assert found(parts) == [("a/000004", 2), ("a/000002", 1)]


def test_one_that_goes_on_from_a_foreign_one_is_foreign():
    parts = {"a/000002": part(0, 2, cube="2"), "a/000004": part(2, 4, "a/000002")}
    assert found(parts) == []


def test_only_what_ours_names_is_compared_so_that_a_tile_can_be_looked_for_before_it_is_read():
    assert differences({"dtype": "fp32"}, OURS) == []
    assert differences(OURS, {"dtype": "fp32"}) == ["cube"]
    finder = finder_of({"a/000002": part(0, 2)})
    assert [f.finished for f in finder.matching({"dtype": "fp32"})] == [2]
    assert list(finder.matching({**OURS, "cube": "2"})) == []


def test_names_that_are_no_checkpoints_of_the_tile_are_not_read():
    names = [
        f"{PREFIX}a/000001",
        f"{PREFIX}a/1",
        f"{PREFIX}a/b/000009",
        f"{PREFIX}000009",
        "staging/a/000009",
    ]
    assert longest_first(names, PREFIX) == [f"{PREFIX}a/000001"]


def test_a_tile_of_many_hours_is_gone_on_from_however_many_checkpoints_come_before_the_last():
    parts = {
        f"a/{n:06d}": part(n - 1, n, f"a/{n - 1:06d}" if n > 1 else "") for n in range(1, 2 * MOST_TRIED)
    }
    assert found(parts)[0] == (f"a/{2 * MOST_TRIED - 1:06d}", 2 * MOST_TRIED - 1)


def test_a_header_is_read_once_and_no_more_of_them_than_is_worth_it():
    read = []

    def header(name: str) -> Part:
        read.append(name)
        raise NotUsable("it is torn")

    names = [f"{PREFIX}a/{number:06d}" for number in range(1, 3 * MOST_TRIED)]
    finder = Finder(PREFIX, names, header)
    assert list(finder.matching(OURS)) == list(finder.matching(OURS)) == []
    assert len(read) == MOST_TRIED
    assert read[0] == names[-1]
