"""A dataset is opened with a self-test: a machine that reckons wrong is found before its first tile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer import datasets
from consumer.datasets import Machine, OpenDatasets
from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.dataset import Dataset
from contract.errors import WorkerUnfit
from contract.tile_id import parse_tile
from contract.tile_message import TileMessage
from laptop_cloud.toy_recipe import DECLARATION as TOY
from tests.sick_recipe import DECLARATION as SICK

BOUNDARIES = "0" * 64


@pytest.fixture
def opened(tmp_path):
    """Datasets of a store with one toy dataset, and a message that asks for it."""
    dataset = Dataset(
        recipe="toy",
        code_version=TOY.code_version,
        period="2024",
        parameters=TOY.resolve({}),
        weights_sha256=None,
        is_trained=False,
        boundaries_sha256=BOUNDARIES,
    )
    store = SimulatedBlobStore()
    store.put(artifact_names.dataset_record(dataset.name), dataset.encode())
    store.put(artifact_names.boundaries(BOUNDARIES), b"land")
    machine = Machine(
        stac_url="http://127.0.0.1:9",
        cache_folder=tmp_path / "cache",
        scratch_folder=tmp_path / "scratch",
        weights=None,
        device="cpu",
        threads=1,
    )
    message = TileMessage(
        job="a-job", dataset=dataset.name, generation=1, tile=parse_tile("grid_-4.55_54.15")
    )
    return OpenDatasets(store, machine), message


def test_a_recipe_that_fails_its_self_test_makes_the_worker_unfit_each_time(opened, monkeypatch):
    monkeypatch.setattr(datasets, "find_recipe", lambda _: SICK)
    held, message = opened
    for _ in range(2):
        with pytest.raises(WorkerUnfit, match="two results for one input"):
            held.recipe(message, TOY.resolve({}))


def test_weights_that_vanished_are_the_workers_trouble_and_not_the_tiles(opened, tmp_path):
    held, message = opened
    dataset = replace(held._read(message.dataset), weights_sha256="a" * 64, is_trained=True)
    held._store.put(artifact_names.dataset_record(dataset.name), dataset.encode())
    held._machine = replace(held._machine, weights=tmp_path / "gone.pt")
    with pytest.raises(WorkerUnfit, match="cannot be read"):
        held.recipe(replace(message, dataset=dataset.name), TOY.resolve({}))


def test_a_recipe_that_passes_is_opened_once(opened):
    held, message = opened
    first = held.recipe(message, TOY.resolve({}))
    assert held.recipe(message, TOY.resolve({})) is first


def test_two_jobs_that_differ_in_what_changes_no_byte_get_a_recipe_each(opened):
    held, message = opened
    usual, other = TOY.resolve({}), TOY.resolve({"infer_seconds": "0"})
    assert held.recipe(message, usual) is not held.recipe(message, other)
    assert held.recipe(message, dict(usual)) is held.recipe(message, usual)
