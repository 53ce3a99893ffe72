"""Which requests are made for the pieces of a file, and what is let go of afterwards."""

import pytest

from consumer.imagery.connections import Answer
from consumer.imagery.remote_file import (
    HEADER_BYTES,
    LARGEST_GAP_BYTES,
    LARGEST_REQUEST_BYTES,
    FileChanged,
    RemoteFile,
    merged,
)

CONTENT = bytes(range(256)) * 4096


class Asked(list):
    """Answers from CONTENT and remembers what for."""

    etag = "one"

    def __call__(self, first, last):
        self.append((first, last))
        return Answer(206, "", CONTENT[first : last + 1], first, len(CONTENT), self.etag)


@pytest.fixture
def asked():
    return Asked()


@pytest.mark.parametrize(
    ("ranges", "requests"),
    [
        ([], []),
        ([(100, 50), (150, 50)], [(100, 100)]),
        ([(150, 50), (100, 50)], [(100, 100)]),
        ([(0, 10), (10 + LARGEST_GAP_BYTES, 5)], [(0, 15 + LARGEST_GAP_BYTES)]),
        ([(0, 10), (11 + LARGEST_GAP_BYTES, 5)], [(0, 10), (11 + LARGEST_GAP_BYTES, 5)]),
        ([(0, 100), (20, 10)], [(0, 100)]),
        (
            [(0, LARGEST_REQUEST_BYTES), (LARGEST_REQUEST_BYTES, 5)],
            [(0, LARGEST_REQUEST_BYTES), (LARGEST_REQUEST_BYTES, 5)],
        ),
    ],
)
def test_neighbours_come_in_one_request(ranges, requests):
    assert merged(ranges) == requests


def test_the_header_is_asked_for_once_and_blocks_in_it_not_again(asked):
    file = RemoteFile(asked)
    file.fetch([(1000, 500), (200_000, 100)])
    assert file.bytes_at(1000, 500) == CONTENT[1000:1500]
    assert file.bytes_at(200_000, 100) == CONTENT[200_000:200_100]
    assert asked == [(0, HEADER_BYTES - 1), (200_000, 200_099)]


def test_it_reads_like_a_file_to_its_end(asked):
    file = RemoteFile(asked)
    assert file.seek(-3, 2) == len(CONTENT) - 3
    assert file.read(10) == CONTENT[-3:]
    file.seek(HEADER_BYTES - 2)
    assert file.read(4) == CONTENT[HEADER_BYTES - 2 : HEADER_BYTES + 2]
    assert file.tell() == HEADER_BYTES + 2


def wander(file):
    for number in range(1000):
        file.bytes_at(len(CONTENT) - 10 * number - 40_000 * (number % 20) - 10, 4)


def test_a_header_that_leads_all_over_the_file_is_given_up(asked):
    with pytest.raises(ValueError, match="do not make a header"):
        wander(RemoteFile(asked))
    assert len(asked) <= 64


def test_pieces_of_another_version_are_refused(asked):
    file = RemoteFile(asked)
    asked.etag = "two"
    with pytest.raises(FileChanged):
        file.fetch([(500_000, 10)])


def test_a_closed_file_holds_nothing(asked):
    with RemoteFile(asked) as file:
        file.fetch([(200_000, 100_000)])
    assert file._pieces == []
