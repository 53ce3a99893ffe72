"""Options to plans: what each means, and what each refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from contract.blob_stores.simulated import SimulatedBlobStore
from contract.errors import BadInput
from producer.asking import Options, Pattern, check_options, choose_weights, make_plans, read_pattern
from producer.enqueue import store_records
from producer.region import Region
from producer.weights import PinnedWeights
from tests.producer_rig import NOW, cells

TODAY = date(2026, 11, 22)
REGION = Region("toyland", "Toyland", cells(20))


def planned(options: Options, like: Pattern | None = None, weights: PinnedWeights | None = None):
    wish = check_options(options, today=TODAY, like=like)
    of_models = [weights] * len(wish.models)
    return make_plans(wish, REGION, like, of_models, "b" * 64, today=TODAY, created=NOW)


def stored(options: Options, weights: PinnedWeights | None = None) -> tuple[SimulatedBlobStore, str]:
    store = SimulatedBlobStore()
    return store, store_records(store, planned(options, weights=weights)[0], now=NOW).id


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Options(recipe="tesera"), "no recipe 'tesera'; did you mean tessera"),
        (Options(assignments=["modle=v1.1"]), "no parameter 'modle', did you mean model"),
        (Options(assignments=["model=v9"]), "model='v9' is not one of v1.1"),
        (Options(assignments=["resolution=tiny"]), "not a number"),
        (Options(assignments=["model"]), "'model' is not key=value"),
        (Options(assignments=["=v1.1"]), "is not key=value"),
        (Options(assignments=["model=v1.1", "model=v2-nano"]), "model is given twice"),
        (Options(assignments=["weights=w.pt"], is_untrained_allowed=True), "exclude each other"),
        (Options(limit=0), "--limit 0"),
        (Options(canary=-1), "--canary -1"),
        (Options(second_attempts=-1), "--second-attempts -1"),
        (Options(second_attempts=10), "0 to 9"),
        (Options(year="2026"), "--partial-year"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, sentence):
    with pytest.raises(BadInput, match=sentence):
        check_options(options, today=TODAY, like=None)


def test_a_range_of_years_makes_a_job_and_a_dataset_of_each():
    plans = planned(Options(year="2023-2025", job="trial"))
    assert [plan.dataset.period for plan in plans] == ["2023", "2024", "2025"]
    assert [plan.job.name for plan in plans] == ["trial-2023", "trial-2024", "trial-2025"]
    assert len({plan.job.campaign for plan in plans}) == 1


def test_a_job_of_one_year_is_named_as_typed():
    assert planned(Options(job="trial"))[0].job.name == "trial"


def test_only_the_year_that_is_not_over_is_partial():
    over, partial = planned(Options(year="2025-2026", is_partial_allowed=True))
    assert "partial_year" not in over.dataset.parameters
    assert partial.dataset.parameters["partial_year"] is True


def test_like_copies_recipe_settings_weights_and_year(tmp_path):
    weights = PinnedWeights("c" * 64, None)
    store, job = stored(Options(year="2019", assignments=["model=v2-nano", "download_threads=2"]), weights)
    like = read_pattern(store, job)
    wish = check_options(Options(like=job), today=TODAY, like=like)
    chosen = choose_weights(wish, like, store, tmp_path, limit_bytes=1, is_laptop=False)
    (plan,) = make_plans(wish, REGION, like, chosen, "other boundaries", today=TODAY, created=NOW)
    assert plan.dataset == like.dataset
    assert (plan.dataset.period, plan.dataset.weights_sha256) == ("2019", "c" * 64)
    assert plan.job.settings["download_threads"] == 2


def test_like_can_be_changed_in_one_thing():
    store, job = stored(Options(year="2019", assignments=["model=v2-nano", "resolution=20"]))
    like = read_pattern(store, job)
    (plan,) = planned(Options(like=job, year="2020", assignments=["resolution=30"]), like)
    assert plan.dataset.period == "2020"
    assert (plan.dataset.parameters["model"], plan.dataset.parameters["resolution"]) == ("v2-nano", 30)


def test_like_of_a_partial_year_joins_it():
    store, job = stored(Options(year="2026", is_partial_allowed=True))
    like = read_pattern(store, job)
    wish = check_options(Options(like=job), today=date(2027, 2, 1), like=like)
    (plan,) = make_plans(wish, REGION, like, [None], "b" * 64, today=date(2027, 2, 1), created=NOW)
    assert plan.dataset == like.dataset


def test_like_refuses_other_code_other_recipes_and_unknown_jobs():
    store, job = stored(Options())
    like = read_pattern(store, job)
    other_code = replace(like, dataset=replace(like.dataset, code_version="0"))
    with pytest.raises(BadInput, match="made by tessera 0"):
        check_options(Options(like=job), today=TODAY, like=other_code)
    with pytest.raises(BadInput, match="leave out --recipe"):
        check_options(Options(like=job, recipe="other"), today=TODAY, like=like)
    with pytest.raises(BadInput, match=f"did you mean {job}"):
        read_pattern(store, job[:-1])
    with pytest.raises(BadInput, match="is no job id"):
        read_pattern(store, "../secret")


def test_untrained_weights_must_be_typed_outside_the_laptop_cloud(tmp_path):
    store = SimulatedBlobStore()

    def choose(options: Options, *, is_laptop: bool) -> PinnedWeights | None:
        wish = check_options(options, today=TODAY, like=None)
        (chosen,) = choose_weights(wish, None, store, tmp_path, limit_bytes=99, is_laptop=is_laptop)
        return chosen

    with pytest.raises(BadInput, match=r"--set weights=.*--untrained"):
        choose(Options(), is_laptop=False)
    assert choose(Options(is_untrained_allowed=True), is_laptop=False) is None
    assert choose(Options(), is_laptop=True) is None
    assert not planned(Options())[0].dataset.is_trained
    assert "untrained" in planned(Options())[0].dataset.name


def test_weights_and_no_weights_never_share_a_dataset():
    trained = planned(Options(), weights=PinnedWeights("c" * 64, None))[0].dataset
    assert trained.is_trained
    assert trained.name != planned(Options())[0].dataset.name
