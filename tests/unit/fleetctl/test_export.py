"""A job's results as files."""

from __future__ import annotations

import pytest

from contract import artifact_names
from contract.errors import BadInput
from fleetctl.campaign.export import export_dataset
from fleetctl.campaign.history import gather_history

A, B = "grid_0.05_50.05", "grid_0.15_50.05"


def files_of(name: str, year: str = "2024") -> dict[str, bytes]:
    folder = f"global_0.1_degree_representation/{year}/{name}"
    return {
        f"{folder}/{name}.npy": b"embedding of " + name.encode(),
        f"{folder}/{name}_scales.npy": b"scales",
    }


def export(campaign, folder):
    history = gather_history(campaign.store, campaign.job)
    return export_dataset(campaign.store, history, folder, connections=2)


@pytest.fixture
def campaign(make_campaign):
    made = make_campaign(A, B)
    for cell in made.cells:
        made.commit(cell, files_of(cell.name))
    return made


def test_every_artifact_arrives_beside_the_record_that_says_what_it_is(campaign, tmp_path):
    done = export(campaign, tmp_path / "out")
    expected = {**files_of(A), **files_of(B)}
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    record = found.pop("dataset.json")
    assert found == expected
    assert record == campaign.store.read(artifact_names.dataset_record(campaign.job.dataset)).data
    assert (done.whole_tiles, done.kept_bytes, done.problems) == (2, 0, ())
    assert done.fetched_bytes == sum(len(data) for data in expected.values())


def test_a_second_export_fetches_only_what_is_not_right(campaign, tmp_path):
    export(campaign, tmp_path)
    damaged = tmp_path / next(iter(files_of(A)))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + b"?")
    done = export(campaign, tmp_path)
    assert damaged.read_bytes() == whole
    assert done.fetched_bytes == len(whole)
    assert done.kept_bytes > 0


def test_bytes_that_are_not_the_committed_ones_do_not_stay(campaign, tmp_path):
    name = next(iter(files_of(A)))
    campaign.store.put(artifact_names.published(campaign.job.dataset, name), b"something else")
    done = export(campaign, tmp_path)
    assert done.whole_tiles == 1
    assert [(problem.tile, name in problem.problem) for problem in done.problems] == [(A, True)]
    assert not (tmp_path / name).exists()


def test_an_unpublished_tile_is_a_problem_and_not_an_error(make_campaign, tmp_path):
    campaign = make_campaign(A)
    campaign.commit(campaign.cells[0], files_of(A), is_published=False)
    done = export(campaign, tmp_path)
    assert done.whole_tiles == 0
    assert "not published yet" in done.problems[0].problem


def test_two_datasets_do_not_mix_in_one_folder(campaign, make_campaign, tmp_path):
    export(campaign, tmp_path)
    other = make_campaign(A, is_trained=False)
    with pytest.raises(BadInput, match="holds another dataset"):
        export(other, tmp_path)
