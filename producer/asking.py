"""From the words of a command to a plan: what can be wrong is found here, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from contract.blob_store import BlobStore
from contract.dataset import PARTIAL_YEAR, Dataset
from contract.errors import BadInput
from contract.job_store import read_dataset, read_job
from contract.recipe import ParameterValue, RecipeDeclaration, find_recipe
from contract.second_attempt import DEFAULT_SECOND_ATTEMPTS, MOST_SECOND_ATTEMPTS
from producer.models import MODELS, ModelWish, split_by_model
from producer.period import parse_years
from producer.plan import Ask, JobPlan, Pins, check_job_name, make_dataset, plan_jobs
from producer.region import Region
from producer.weights import PinnedWeights, fetch_weights

DEFAULT_RECIPE: Final = "tessera"


@dataclass(frozen=True, slots=True)
class Options:
    """`producer enqueue`, as typed."""

    year: str | None = None
    recipe: str | None = None
    assignments: Sequence[str] = ()
    """`key=value`."""
    job: str | None = None
    like: str | None = None
    limit: int | None = None
    canary: int = 0
    second_attempts: int = DEFAULT_SECOND_ATTEMPTS
    is_urgent: bool = False
    is_partial_allowed: bool = False
    is_untrained_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """Options that were checked on their own, without region and storage."""

    options: Options
    declaration: RecipeDeclaration
    models: tuple[ModelWish, ...]
    """One, unless `models=` names several."""
    years: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """An earlier job to do likewise."""

    dataset: Dataset
    settings: Mapping[str, ParameterValue]
    """All parameters of its recipe, also those that do not change the result."""


def check_options(options: Options, *, today: date, like: Pattern | None) -> Wish:
    """The options' meaning; BadInput for the first that has none."""
    _check_numbers(options)
    if options.job is not None:
        check_job_name(options.job)
    if like and options.recipe not in {None, like.dataset.recipe}:
        raise BadInput(
            f"--like {options.like} is of recipe {like.dataset.recipe}: leave out --recipe, or --like"
        )
    declaration = find_recipe(like.dataset.recipe if like else options.recipe or DEFAULT_RECIPE)
    if like and like.dataset.code_version != declaration.code_version:
        raise BadInput(
            f"job {options.like} was made by {declaration.name} {like.dataset.code_version}, here is "
            f"{declaration.code_version}: the results would not be alike; leave out --like"
        )
    assignments = parse_assignments(options.assignments)
    if like and MODELS in assignments:
        raise BadInput(f"--like {options.like} asks for that job's model: leave out --set models=, or --like")
    models = split_by_model(assignments, declaration)
    if options.is_untrained_allowed and any(model.weights is not None for model in models):
        raise BadInput("--untrained and --set weights= exclude each other: leave one out")
    for model in models:
        declaration.resolve(model.given)
    years: tuple[int, ...]
    if like and options.year is None:
        years = (int(like.dataset.period),)
    else:
        years = parse_years(options.year, today=today, is_partial_allowed=options.is_partial_allowed)
    return Wish(options, declaration, models, years)


def _check_numbers(options: Options) -> None:
    if options.limit is not None and options.limit < 1:
        raise BadInput(f"--limit {options.limit} asks for no tile; give 1 or more")
    if options.canary < 0:
        raise BadInput(f"--canary {options.canary} is no number of tiles; give 1 or more")
    if not 0 <= options.second_attempts <= MOST_SECOND_ATTEMPTS:
        raise BadInput(
            f"--second-attempts {options.second_attempts}: a tile can have 0 to {MOST_SECOND_ATTEMPTS} of them"
        )


def parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """`key=value` texts as a dictionary; BadInput for one without a key or given twice."""
    given: dict[str, str] = {}
    for assignment in assignments:
        key, sign, value = assignment.partition("=")
        if not key or not sign:
            raise BadInput(f"--set {assignment[:80]!r} is not key=value")
        if key in given:
            raise BadInput(f"--set {key} is given twice: leave one out")
        given[key] = value
    return given


def read_pattern(store: BlobStore, job_id: str) -> Pattern:
    """The job that `--like` names."""
    job = read_job(store, job_id)
    return Pattern(read_dataset(store, job.dataset), job.settings)


def choose_weights(
    wish: Wish, like: Pattern | None, store: BlobStore, folder: Path, *, limit_bytes: int, is_laptop: bool
) -> tuple[PinnedWeights | None, ...]:
    """The weights to pin for each model; None: untrained, which must be typed outside the laptop cloud,
    or none used. What must be downloaded to be known goes into `folder`."""
    chosen = []
    for number, model in enumerate(wish.models):
        place = folder / str(number)
        place.mkdir(exist_ok=True)
        chosen.append(
            _choose_weights_of(model, wish, like, store, place, limit_bytes=limit_bytes, is_laptop=is_laptop)
        )
    return tuple(chosen)


def _choose_weights_of(
    model: ModelWish,
    wish: Wish,
    like: Pattern | None,
    store: BlobStore,
    folder: Path,
    *,
    limit_bytes: int,
    is_laptop: bool,
) -> PinnedWeights | None:
    if not wish.declaration.uses_weights or wish.options.is_untrained_allowed:
        return None
    if model.weights is not None:
        return fetch_weights(model.weights, store, folder, limit_bytes=limit_bytes)
    if like and like.dataset.weights_sha256:
        return PinnedWeights(like.dataset.weights_sha256, None)
    if is_laptop or (like and not like.dataset.is_trained):
        return None
    raise BadInput(
        f"recipe {wish.declaration.name} needs weights: add --set {model.weights_key}= with a file, an https "
        "address or blob:NAME, or type --untrained for results that mean nothing"
    )


def make_plans(
    wish: Wish,
    region: Region,
    like: Pattern | None,
    weights: Sequence[PinnedWeights | None],
    boundaries_sha256: str,
    *,
    today: date,
    created: str,
) -> tuple[JobPlan, ...]:
    """One job per year and model; `weights` are those of wish.models, `created` is now, UTC, ISO 8601."""
    pins = [
        _make_pins(wish, model, like, pinned, boundaries_sha256)
        for model, pinned in zip(wish.models, weights, strict=True)
    ]
    # Year by year: the models of one year follow each other in the queue, and so find its prepared cubes.
    datasets = [
        make_dataset(of_model, year, is_partial=_is_partial(year, like, today))
        for year in wish.years
        for of_model in pins
    ]
    options = wish.options
    ask = Ask(
        label=options.job or region.label,
        is_label_exact=options.job is not None and len(datasets) == 1,
        text=region.text,
        cells=region.cells,
        limit=options.limit,
        canary_count=options.canary,
        is_urgent=options.is_urgent,
        second_attempts=options.second_attempts,
    )
    # What changes the result is in each dataset; the rest is the same for all models.
    return plan_jobs(ask, datasets, pins[0].settings, created=created)


def _make_pins(
    wish: Wish, model: ModelWish, like: Pattern | None, weights: PinnedWeights | None, boundaries_sha256: str
) -> Pins:
    settings = wish.declaration.resolve(model.given)
    if like:
        settings = {**settings, **like.settings, **{name: settings[name] for name in model.given}}
    return Pins(
        declaration=wish.declaration,
        settings=settings,
        weights_sha256=weights.sha256 if weights else None,
        is_trained=weights is not None or not wish.declaration.uses_weights,
        boundaries_sha256=like.dataset.boundaries_sha256 if like else boundaries_sha256,
    )


def _is_partial(year: int, like: Pattern | None, today: date) -> bool:
    """Not over when it was asked; a job like an earlier one joins it, also when the year is over now."""
    if like and like.dataset.period == str(year):
        return bool(like.dataset.parameters.get(PARTIAL_YEAR, False))
    return year >= today.year
