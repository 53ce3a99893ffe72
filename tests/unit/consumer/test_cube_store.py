"""Kept cubes on a storage: what is taken, what is ignored and why, and who may write over what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from consumer import cube_store
from consumer.cube_store import CubeKey, CubeStore
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import StorageUnavailable
from contract.tile_id import parse_tile

KEY = CubeKey("2024", "a" * 32, parse_tile("grid_-4.55_54.15"))
RECORD = f"cubes/2d/2024/{'a' * 32}/grid_-4.55_54.15/record.json"
DAY = 86400


class World:
    """One container under a clock of its own, and the disk of one worker."""

    def __init__(self, folder):
        self.now = 1_700_000_000.0
        self.scratch = folder / "scratch"
        self.container = SimulatedContainer(lambda: self.now)
        self.store = SimulatedBlobStore(self.container)
        self.cubes = self.worker()

    def worker(self) -> CubeStore:
        return CubeStore(self.store, self.scratch)

    def keep(self, content=b"a cube", *, key=KEY, days=2, cubes=None, **facts):
        (cubes or self.cubes).keep(key, lambda file: file.write(content), facts, days=days, size=len(content))

    def take(self, key=KEY):
        """(content, facts), or None."""
        taken = self.cubes.take(key)
        if taken is None:
            return None
        with taken.file:
            return taken.file.read(), dict(taken.facts)

    def names(self):
        return list(self.store.names("cubes/"))

    def change_record(self, **changes):
        record = json.loads(self.store.read(RECORD).data)
        self.store.put(RECORD, json.dumps({**record, **changes}).encode())


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_what_was_kept_is_taken_with_its_facts_and_leaves_nothing_on_the_disk(world):
    world.keep(b"year", found=3)
    assert world.take() == (b"year", {"found": 3})
    assert list(world.scratch.iterdir()) == []


def test_another_period_tile_or_setting_is_another_cube(world):
    world.keep()
    for other in (
        replace(KEY, period="2023"),
        replace(KEY, settings="b" * 32),
        replace(KEY, tile=parse_tile("grid_-4.45_54.15")),
    ):
        assert world.take(other) is None


@pytest.mark.parametrize(
    ("days", "shelf"), [(1, "2d"), (2, "2d"), (3, "7d"), (7, "7d"), (8, "30d"), (30, "30d")]
)
def test_it_lies_where_the_next_longer_lifecycle_rule_clears_it_and_counts_for_its_own_days(
    world, days, shelf
):
    world.keep(days=days)
    assert all(name.startswith(f"cubes/{shelf}/") for name in world.names())
    world.now += days * DAY - 1
    assert world.take() is not None
    world.now += 2
    assert world.take() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"tile": "grid_-4.45_54.15"},
        {"settings": "b" * 32},
        {"expires": "soon"},
        {"expires": None},
        {"expires": "2099-01-01"},  # no zone: cannot be compared
        {"length": 7},
        {"length": "many"},
        {"length": 2**60},
        {"sha256": "0" * 64},
        {"sha256": "../../secret"},
        {"facts": 3},
    ],
    ids=str,
)
def test_a_record_that_says_something_else_is_ignored_and_replaced(world, changes):
    world.keep()
    world.change_record(**changes)
    assert world.take() is None
    world.keep(b"a new cube")
    assert world.take() == (b"a new cube", {})


def test_a_record_whose_numbers_are_out_of_reach_is_ignored(world):
    world.keep()
    record = world.store.read(RECORD).data
    world.store.put(RECORD, record.replace(b'"length":6', b'"length":1e999'))
    assert world.take() is None


@pytest.mark.parametrize("record", [b"", b"[]", b"{", b"\xff\xfe"])
def test_a_record_that_is_none_is_ignored(world, record):
    world.keep()
    world.store.put(RECORD, record)
    assert world.take() is None


@pytest.mark.parametrize("content", [b"a cubf", b"a cub", b"a cube and more"])
def test_bytes_that_are_not_those_of_the_record_are_ignored_and_replaced(world, content):
    world.keep()
    (data,) = [name for name in world.names() if name != RECORD]
    world.store.put(data, content)
    assert world.take() is None
    world.keep()
    assert world.take() == (b"a cube", {})


def test_a_record_without_its_bytes_is_ignored(world):
    world.keep()
    (data,) = [name for name in world.names() if name != RECORD]
    world.store.delete(data)
    assert world.take() is None


def test_a_record_too_long_to_be_one_is_ignored_and_left_alone(world, monkeypatch):
    world.keep()
    monkeypatch.setattr(cube_store, "MOST_RECORD_BYTES", 10)
    assert world.take() is None
    world.keep(b"another")


def test_bytes_without_a_record_are_no_cube(world):
    world.keep()
    world.store.delete(RECORD)
    assert world.take() is None


def test_who_comes_second_leaves_the_first_cube_and_no_bytes_behind(world):
    world.keep(b"first")
    before = world.names()
    world.keep(b"second", cubes=world.worker())
    assert world.names() == before
    assert world.take() == (b"first", {})


def test_who_comes_second_with_the_same_bytes_does_not_delete_them(world):
    world.keep(b"same", by="first")
    world.now += 5
    world.keep(b"same", cubes=world.worker(), by="second")
    assert world.take() == (b"same", {"by": "first"})


def test_a_cube_that_its_reader_refused_is_replaced_by_the_next_one(world):
    world.keep(b"lost a scene")
    world.cubes.refuse(world.cubes.take(KEY), "too many scenes were lost")
    world.keep(b"whole")
    assert world.take() == (b"whole", {})


def test_a_discarded_cube_is_gone_for_everybody(world):
    world.keep()
    world.cubes.discard(world.cubes.take(KEY), "days out of range")
    assert world.worker().take(KEY) is None


@pytest.mark.parametrize("operation", ["read", "info", "download", "upload", "create"])
def test_trouble_with_the_storage_is_nobodys_error(world, operation):
    world.keep()

    def fault(_moment, called, _name):
        if called == operation:
            raise StorageUnavailable("503")

    world.cubes = CubeStore(SimulatedBlobStore(world.container, fault), world.scratch)
    reads = operation in {"read", "info", "download"}
    assert (world.take() is None) == reads
    world.keep(key=replace(KEY, period="2020"))
    assert any("/2020/" in name and name.endswith("record.json") for name in world.names()) == reads


def test_a_disk_without_room_is_left_to_the_results(world, monkeypatch):
    world.keep()
    monkeypatch.setattr(cube_store.shutil, "disk_usage", lambda _: SimpleNamespace(free=11))
    assert world.take() is None  # six bytes need twelve
    world.keep(key=replace(KEY, period="2020"))
    assert not any("/2020/" in name for name in world.names())


def test_what_cannot_be_written_leaves_no_file(world):
    def break_off(_file):
        raise OSError("disk full")

    world.cubes.keep(KEY, break_off, {}, days=2, size=10)
    assert list(world.scratch.iterdir()) == []
    assert world.names() == []


def test_files_of_processes_that_died_are_cleared_and_those_of_the_living_stay(world):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    world.scratch.mkdir()
    left, living = f"cube-{dead.pid}-ab.npz", f"cube-{os.getpid()}-ab.npz"
    for name in (left, f".{left}.x7f", living, "embedding.npy"):
        (world.scratch / name).touch()
    stubborn = f"cube-{dead.pid}-cd.npz"
    (world.scratch / stubborn).mkdir()  # cannot be cleared, as on a disk that takes no change
    world.worker()
    assert {path.name for path in world.scratch.iterdir()} == {living, "embedding.npy", stubborn}


def test_every_shelf_has_a_rule_that_clears_it_and_no_earlier_than_its_cubes_expire():
    path = Path(__file__).parents[3] / "infra" / "storage" / "lifecycle.json"
    found = {}
    for rule in json.loads(path.read_text())["rules"]:
        (prefix,) = rule["definition"]["filters"]["prefixMatch"]
        delete = rule["definition"]["actions"]["baseBlob"]["delete"]
        found[prefix] = delete["daysAfterModificationGreaterThan"]
    for days in cube_store.SHELF_DAYS:
        assert found[f"tilefleet/cubes/{days}d/"] >= days
