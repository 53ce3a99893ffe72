"""From what was asked to records: which tiles in which order, of which dataset, as which job (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contract.dataset import PARTIAL_YEAR, Dataset
from contract.errors import BadInput
from contract.job import NAME_PATTERN, Job, JobState, JobStatus, asked_digest, encode_asked
from contract.json_text import short_digest
from contract.recipe import ParameterValue, RecipeDeclaration
from contract.second_attempt import DEFAULT_SECOND_ATTEMPTS
from contract.tile_id import GridCell

NAME_CHARACTERS = 48
"""As many as a job's name may have."""

TILES_PER_CHUNK = 20_000

Cells = NDArray[np.integer]
"""(n, 2): row and column of GridCells, sorted."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asked for, checked and resolved, but for the year."""

    label: str
    """Readable name of the regions, or what `--job` says."""
    is_label_exact: bool
    """`--job` of a single year: the name is used as it was typed."""
    text: str
    """The regions as they were typed."""
    cells: Cells
    limit: int | None
    canary_count: int
    is_urgent: bool
    second_attempts: int = DEFAULT_SECOND_ATTEMPTS


@dataclass(frozen=True, slots=True)
class Pins:
    """What fixes a dataset's bytes, but for the year."""

    declaration: RecipeDeclaration
    settings: Mapping[str, ParameterValue]
    """All parameters of the recipe with their values."""
    weights_sha256: str | None
    is_trained: bool
    boundaries_sha256: str


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One job, ready to be stored."""

    dataset: Dataset
    job: Job
    asked: bytes
    """The asked list: one name per line, canary tiles in front."""


def make_dataset(pins: Pins, year: int, *, is_partial: bool) -> Dataset:
    """The dataset that these pins and this year make."""
    changing = {parameter.name for parameter in pins.declaration.parameters if parameter.changes_result}
    parameters = {name: value for name, value in pins.settings.items() if name in changing}
    if is_partial:
        parameters[PARTIAL_YEAR] = True
    return Dataset(
        recipe=pins.declaration.name,
        code_version=pins.declaration.code_version,
        period=str(year),
        parameters=parameters,
        weights_sha256=pins.weights_sha256,
        is_trained=pins.is_trained,
        boundaries_sha256=pins.boundaries_sha256,
    )


def plan_jobs(
    ask: Ask,
    datasets: Sequence[Dataset],
    settings: Mapping[str, ParameterValue],
    *,
    created: str,
) -> tuple[JobPlan, ...]:
    """One job per dataset, all of one campaign; `created` is now, UTC, ISO 8601."""
    cells = order_cells(ask.cells, limit=ask.limit, canary_count=ask.canary_count)
    asked = encode_cells(cells)
    digest = asked_digest(asked)
    canary_count = min(ask.canary_count, len(cells))
    has_models = len({dataset.parameters.get("model") for dataset in datasets}) > 1
    drafts = [
        Job(
            name=job_name(ask, dataset.period, str(dataset.parameters["model"]) if has_models else ""),
            dataset=dataset.name,
            asked_count=len(cells),
            asked_sha256=digest,
            asked_text=ask.text,
            is_urgent=ask.is_urgent,
            canary_count=canary_count,
            recipe=dataset.recipe,
            settings={**settings, **dataset.recipe_parameters},
            campaign="",
            created=created,
            second_attempts=ask.second_attempts,
        )
        for dataset in datasets
    ]
    campaign = campaign_id(ask, drafts)
    return tuple(
        JobPlan(dataset, replace(draft, campaign=campaign), asked)
        for dataset, draft in zip(datasets, drafts, strict=True)
    )


def order_cells(cells: Cells, *, limit: int | None, canary_count: int) -> Cells:
    """The first `limit` cells, with `canary_count` evenly spread ones moved to the front."""
    kept: Cells = cells[:limit] if limit is not None else cells
    if not 0 < canary_count < len(kept):
        return kept
    # The middle of each of `canary_count` equal stretches: a trial of the whole area, not of its south.
    chosen = (2 * np.arange(canary_count) + 1) * len(kept) // (2 * canary_count)
    rest = np.delete(np.arange(len(kept)), chosen)
    order: NDArray[np.int64] = np.concatenate([chosen, rest])
    return kept[order]


def encode_cells(cells: Cells) -> bytes:
    """The asked list of these cells, made in chunks: a million names at once would be ten times its size."""
    chunks = (cells[start : start + TILES_PER_CHUNK] for start in range(0, len(cells), TILES_PER_CHUNK))
    return b"".join(
        encode_asked(GridCell(row=row, column=column) for row, column in chunk.tolist()) for chunk in chunks
    )


def job_name(ask: Ask, period: str, model: str = "") -> str:
    """`isle-of-man-2024`, or `isle-of-man-2024-v2-nano` beside other models; exactly what was typed with
    `--job` for a single job."""
    if not ask.is_label_exact:
        ending = f"-{period}-{slug(model)}" if model else f"-{period}"
        return slug(ask.label, NAME_CHARACTERS - len(ending)) + ending
    check_job_name(ask.label)
    return ask.label


def check_job_name(name: str) -> None:
    """BadInput unless `--job` may say so."""
    if not NAME_PATTERN.fullmatch(name):
        raise BadInput(
            f"--job {name[:80]!r} cannot name a job: up to 48 lower-case letters, digits and dashes, "
            "no dash in front"
        )


def slug(label: str, most_characters: int = 43) -> str:
    """A label as the front of a job's name: a year and its dash need five of 48."""
    kept = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    return kept[:most_characters].rstrip("-") or "tiles"


def campaign_id(ask: Ask, jobs: Sequence[Job]) -> str:
    """The job's own id when it is alone, else a name and a digest of all of them."""
    if len(jobs) == 1:
        return jobs[0].id
    return f"{slug(ask.label)}-{short_digest([job.id for job in jobs])}"


def last_position(job: Job, state: JobState) -> int:
    """How far into the asked list a job may be enqueued in this state."""
    if state is JobState.CANARY:
        return job.canary_count
    if state in {JobState.RUNNING, JobState.FINISHED}:
        return job.asked_count
    return 0


def first_state(job: Job) -> JobState:
    """A job that is all canary needs nobody's approval."""
    return JobState.CANARY if 0 < job.canary_count < job.asked_count else JobState.RUNNING


def first_status(job: Job, *, now: str) -> JobStatus:
    """The state of a job that was never enqueued; `now` is UTC, ISO 8601."""
    state = first_state(job)
    reason = f"the first {job.canary_count} tiles go first" if state is JobState.CANARY else "enqueued"
    return JobStatus(state, reason, now)


def check_same_job(stored: Job, asked: Job) -> None:
    """BadInput when a job of this id exists with other settings, which do not show in its id."""
    differing = [
        f"{name}={stored.settings.get(name)}"
        for name in sorted(stored.settings.keys() | asked.settings.keys())
        if stored.settings.get(name) != asked.settings.get(name)
    ]
    if differing:
        raise BadInput(
            f"job {stored.id} was asked before with {', '.join(differing)}, and a job never changes: "
            "repeat that, or give this one its own name with --job"
        )
