"""What is checked and named before a worker starts."""

from __future__ import annotations

import pytest

from consumer.wiring import check_folder, default_name
from contract.errors import BadInput
from contract.heartbeat import WORKER_PATTERN


def test_a_folder_is_made_and_left_empty(tmp_path):
    folder = tmp_path / "a" / "b"
    check_folder(folder)
    check_folder(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInput, match="file"):
        check_folder(tmp_path / "file" / "scratch")


@pytest.mark.parametrize("host", ["vm-1.internal", "mein_rechner", "größe", "", "-x-", "h" * 300])
def test_every_host_gives_a_name_that_can_be_reported(host):
    assert WORKER_PATTERN.fullmatch(default_name(host, 4_194_304))
