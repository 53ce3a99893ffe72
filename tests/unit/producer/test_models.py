"""Several models in one request: a job and a dataset each, on the same prepared cubes."""

from __future__ import annotations

from datetime import date

import pytest

from contract.blob_stores.simulated import SimulatedBlobStore
from contract.errors import BadInput
from contract.job import NAME_PATTERN
from producer.asking import Options, check_options, choose_weights, make_plans, read_pattern
from producer.enqueue import store_records
from producer.region import Region
from tests.producer_rig import NOW, cells

TODAY = date(2026, 11, 22)
REGION = Region("toyland", "Toyland", cells(3))


def planned(*assignments: str, weights=None, region=REGION, **options):
    wish = check_options(Options(assignments=assignments, **options), today=TODAY, like=None)
    pinned = weights or [None] * len(wish.models)
    return make_plans(wish, region, None, pinned, "b" * 64, today=TODAY, created=NOW)


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["models=v1.1,v2-nano", "model=v1.1"], "exclude each other"),
        (["models=v1.1,v9"], "model='v9' is not one of v1.1"),
        (["models=v1.1,,v2-nano"], "no model between two commas"),
        (["models="], "no model between two commas"),
        (["models=v1.1,v1.1"], "names v1.1 twice"),
        (["models=v1.1,v2-nano", "weights=w.pt"], "write --set weights.v1.1=, --set weights.v2-nano="),
        (["models=v1.1,v2-nano", "weights.v1.1=w.pt"], "not for v2-nano: add --set weights.v2-nano="),
        (["models=v1.1,v2-nano", "weights.v2-large=w.pt"], "of no model in models=v1.1,v2-nano"),
        (["models=v1.1", "weights=a.pt", "weights.v1.1=b.pt"], "does not say of which model"),
        (["model=v1.1", "weights.v1.1=a.pt"], "write --set weights= for a single model"),
        (["models=v1.1,v2-nano", "keep_cubes=31"], "keep_cubes=31 must be"),
    ],
)
def test_what_is_unclear_about_models_is_refused(assignments, sentence):
    with pytest.raises(BadInput, match=sentence):
        check_options(Options(assignments=assignments), today=TODAY, like=None)


def test_a_recipe_without_models_has_no_such_parameter():
    with pytest.raises(BadInput, match="recipe toy has no parameter 'models'"):
        check_options(Options(recipe="toy", assignments=["models=a,b"]), today=TODAY, like=None)


def test_each_model_gets_its_job_and_the_models_of_a_year_follow_each_other():
    plans = planned("models=v1.1,v2-nano", year="2023-2024")
    assert [(plan.dataset.period, plan.dataset.parameters["model"]) for plan in plans] == [
        ("2023", "v1.1"),
        ("2023", "v2-nano"),
        ("2024", "v1.1"),
        ("2024", "v2-nano"),
    ]
    assert [plan.job.name for plan in plans[:2]] == ["toyland-2023-v1-1", "toyland-2023-v2-nano"]
    assert [plan.job.settings["model"] for plan in plans] == ["v1.1", "v2-nano"] * 2
    assert len({plan.job.campaign for plan in plans}) == 1
    assert len({plan.job.id for plan in plans}) == len({plan.dataset.name for plan in plans}) == 4


def test_a_model_asked_for_beside_others_belongs_to_the_same_dataset_as_alone():
    alone, among = planned("model=v2-nano")[0], planned("models=v1.1,v2-nano")[1]
    assert among.dataset == alone.dataset


@pytest.mark.parametrize(
    ("assignments", "days"),
    [
        (["models=v1.1,v2-nano"], 2),
        (["models=v1.1,v2-nano", "keep_cubes=7"], 7),
        (["models=v1.1,v2-nano", "keep_cubes=0"], 0),
        (["models=v1.1"], 0),
        (["model=v1.1"], 0),
    ],
)
def test_cubes_are_kept_for_the_next_model_unless_told_otherwise(assignments, days):
    assert {plan.job.settings["keep_cubes"] for plan in planned(*assignments)} == {days}


def test_a_long_name_leaves_room_for_the_model():
    plans = planned("models=v2-medium,v2-large", region=Region("x" * 90, "X", cells(2)))
    for plan in plans:
        assert NAME_PATTERN.fullmatch(plan.job.name)
    assert plans[0].job.name.endswith("-2025-v2-medium")


def test_each_model_has_its_own_weights(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(name.encode())
    assignments = [
        "models=v1.1,v2-nano",
        f"weights.v1.1={tmp_path / 'one'}",
        f"weights.v2-nano={tmp_path / 'two'}",
    ]
    wish = check_options(Options(assignments=assignments), today=TODAY, like=None)
    store = SimulatedBlobStore()
    chosen = choose_weights(wish, None, store, tmp_path, limit_bytes=99, is_laptop=False)
    plans = planned(*assignments, weights=chosen)
    assert [plan.dataset.weights_sha256 for plan in plans] == [one.sha256 for one in chosen]
    assert len({one.sha256 for one in chosen}) == 2


def test_missing_weights_are_named_with_their_model(tmp_path):
    wish = check_options(Options(assignments=["models=v1.1,v2-nano"]), today=TODAY, like=None)
    with pytest.raises(BadInput, match=r"add --set weights\.v1\.1="):
        choose_weights(wish, None, SimulatedBlobStore(), tmp_path, limit_bytes=99, is_laptop=False)


def test_one_model_in_the_list_may_take_plain_weights():
    wish = check_options(Options(assignments=["models=v2-nano", "weights=w.pt"]), today=TODAY, like=None)
    assert [(model.given["model"], model.weights) for model in wish.models] == [("v2-nano", "w.pt")]


def test_like_and_models_exclude_each_other():
    store = SimulatedBlobStore()
    job = store_records(store, planned()[0], now=NOW).id
    options = Options(like=job, assignments=["models=v1.1,v2-nano"])
    with pytest.raises(BadInput, match="leave out --set models="):
        check_options(options, today=TODAY, like=read_pattern(store, job))
