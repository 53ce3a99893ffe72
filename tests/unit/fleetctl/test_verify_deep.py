"""Reading the bytes finds what listings cannot see."""

from __future__ import annotations

import numpy as np
import pytest

from fleetctl.audit.deep import choose_sample, look_deep
from fleetctl.audit.faults import FaultKind
from fleetctl.audit.tile_files import check_files
from fleetctl.audit.verdict import Standing
from fleetctl.audit.verify import with_deep_findings
from tests.unit.fleetctl.audit_rig import (
    CELLS,
    Audited,
    faults_of,
    flip_artifact,
    garble_commit,
    lose_artifact,
)

FIRST, SECOND = CELLS[:2]
EMBEDDING = "global_0.1_degree_representation/2024/t/t.npy"
SCALES = "global_0.1_degree_representation/2024/t/t_scales.npy"


def look(rig: Audited, folder):
    audit = rig.verify()
    read = []
    tiles = list(audit.tiles_that_are(Standing.COMMITTED))
    found = look_deep(rig.store, rig.job.dataset, tiles, folder=folder, connections=2, on_tile=read.append)
    audit = with_deep_findings(audit, found)
    assert list(folder.iterdir()) == [], "nothing stays on the disk"
    return audit, read


@pytest.fixture
def rig(tmp_path_factory):
    return Audited(tmp_path_factory.mktemp("world"))


def test_sound_tiles_are_read_whole_and_nothing_is_found(rig, tmp_path):
    audit, read = look(rig, tmp_path)
    assert audit.verdict.is_complete
    assert read == [200] * len(CELLS)


def test_bytes_that_rotted_under_the_right_md5_are_found(rig, tmp_path):
    stored = rig.world.container.existing(rig.published(FIRST))
    stored.data = bytes(100)
    assert rig.verify().verdict.is_complete, "a listing cannot see it"
    audit, _ = look(rig, tmp_path)
    assert faults_of(audit) == {FIRST.name: [FaultKind.WRONG_BYTES]}
    assert (audit.verdict.committed, audit.verdict.wrong) == (len(CELLS) - 1, 1)
    assert not audit.verdict.is_complete


def test_what_the_listing_found_already_is_counted_once(rig, tmp_path):
    lose_artifact(rig, FIRST)
    flip_artifact(rig, SECOND)
    garble_commit(rig, CELLS[2])
    audit, _ = look(rig, tmp_path)
    assert audit.verdict.wrong == 3
    assert sum(audit.verdict.faults.values()) == 3


def test_a_sample_is_chosen_by_its_seed_and_in_order():
    chosen = list(choose_sample(iter(CELLS), len(CELLS), 4, seed=7))
    assert chosen == list(choose_sample(iter(CELLS), len(CELLS), 4, seed=7))
    assert len(set(chosen)) == 4
    assert chosen == sorted(chosen)
    assert any(list(choose_sample(iter(CELLS), len(CELLS), 4, seed=n)) != chosen for n in range(5))
    for count in (None, 99):
        assert list(choose_sample(iter(CELLS), len(CELLS), count, seed=1)) == list(CELLS)


def files(tmp_path, embedding, scales) -> dict:
    made = {}
    for name, array in ((EMBEDDING, embedding), (SCALES, scales)):
        path = tmp_path / name.rpartition("/")[2]
        if isinstance(array, bytes):
            path.write_bytes(array)
        elif array is not None:
            np.save(path, array)
        if array is not None:
            made[name] = path
    return made


def ones(*shape, dtype=np.int8):
    return np.ones(shape, dtype)


SCALE = ones(100, 5, dtype=np.float32)


@pytest.mark.parametrize(
    ("embedding", "scales", "kinds"),
    [
        (ones(100, 5, 128), SCALE, []),
        (np.zeros((100, 5, 128), np.int8), SCALE, [FaultKind.ALL_ZERO]),
        (ones(100, 5, 128), 0 * SCALE, [FaultKind.ALL_ZERO]),
        (ones(100, 5, 128), np.nan * SCALE, [FaultKind.BAD_SCALES]),
        (ones(100, 5, 128), -SCALE, [FaultKind.BAD_SCALES]),
        (ones(100, 5, 128), None, [FaultKind.BAD_SCALES]),
        (ones(100, 5, 128), ones(99, 5, dtype=np.float32), [FaultKind.WRONG_SHAPE]),
        (ones(100, 5, 128), SCALE.astype(np.float64), [FaultKind.WRONG_SHAPE]),
        (ones(100, 5), SCALE, [FaultKind.WRONG_SHAPE]),
        (ones(100, 5, 128, dtype=np.float32), SCALE, [FaultKind.WRONG_SHAPE]),
        (b"no array", SCALE, [FaultKind.WRONG_SHAPE]),
        (b"", SCALE, [FaultKind.WRONG_SHAPE]),
        (b"PK\x03\x04 as a zip begins", SCALE, [FaultKind.WRONG_SHAPE]),
        (ones(100, 5, 128), b"\x93NUMPY\x01\x00", [FaultKind.WRONG_SHAPE]),
    ],
)
def test_arrays_are_opened_and_judged(tmp_path, embedding, scales, kinds):
    assert [fault.kind for fault in check_files(files(tmp_path, embedding, scales))] == kinds


def test_one_value_in_the_last_row_is_a_value(tmp_path):
    embedding = np.zeros((100, 5, 128), np.int8)
    embedding[-1, -1, -1] = 1
    assert check_files(files(tmp_path, embedding, SCALE)) == []


def test_files_of_other_recipes_are_only_hashed(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"anything")
    assert check_files({"toy/a.npy": tmp_path / "a.npy"}) == []
