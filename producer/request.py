"""One `producer enqueue`, step by step: check, resolve, look at the storage, then preview or send; and
`producer resume`, which is its last step alone.

Whatever can be wrong without storage is found before storage is touched, and nothing is written
before all of it is known to be right.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from rich.console import Console

from contract.errors import StorageError
from contract.fleet import Fleet
from contract.job_store import read_asked, read_dataset, read_job
from producer.asking import Options, Wish, check_options, choose_weights, make_plans, read_pattern
from producer.boundaries import Boundaries, open_boundaries
from producer.enqueue import Outcome, Storage, check_storage, enqueue_job, keep_boundaries, preview_job
from producer.exit_codes import ExitCode
from producer.plan import JobPlan
from producer.preflight import check_imagery
from producer.progress import (
    SendingBar,
    dataset_sentence,
    next_commands,
    outcome_detail,
    outcome_sentence,
)
from producer.region import resolve
from producer.send import EndedEarly
from producer.settings import Settings
from producer.weights import keep_weights

READY_CUBES = "cubes"
"""A recipe's parameter that names cubes made elsewhere: then no catalogue is asked, now or later."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was typed."""

    options: Options
    regions: Sequence[str]
    exclude: Sequence[str]
    standard_input: TextIO
    """Read where a region is `-`."""
    boundaries: str
    """Empty: the shipped ones."""
    is_dry: bool
    is_preflight: bool = True
    """Ask the catalogue first whether it has imagery at all."""


def run_request(
    request: Request, settings: Settings, fleet: Fleet, storage: Storage, *, console: Console, now: datetime
) -> ExitCode:
    """Carry out one enqueue and say on `console` what came of it. BadInput: nothing was enqueued.

    `now` is UTC.
    """
    options = request.options
    like = None
    if options.like:
        check_storage(storage)
        like = read_pattern(storage.store, options.like)
    wish = check_options(options, today=now.date(), like=like)
    console.print(_years_sentence(wish), markup=False)
    boundaries = open_boundaries(request.boundaries, settings.cache_folder)
    region = resolve(
        request.regions,
        exclude=request.exclude,
        boundaries=boundaries,
        standard_input=request.standard_input,
    )
    check_storage(storage)
    with tempfile.TemporaryDirectory(prefix="tilefleet-weights-") as folder:
        weights = choose_weights(
            wish,
            like,
            storage.store,
            Path(folder),
            limit_bytes=settings.weights_limit_bytes,
            is_laptop=fleet.is_laptop,
        )
        stamp = now.isoformat(timespec="seconds")
        plans = make_plans(wish, region, like, weights, boundaries.sha256, today=now.date(), created=stamp)
        for plan in plans:
            console.print(dataset_sentence(plan.dataset), markup=False)
        if request.is_preflight and not plans[0].job.settings.get(READY_CUBES):
            collections = wish.declaration.collections
            for warning in check_imagery(fleet.stac_url, collections, region.cells, wish.years):
                console.print(f"warning: {warning}", style="yellow", markup=False)
        if request.is_dry:
            return _preview(plans, storage, console)
        for pinned in weights:
            if pinned and keep_weights(pinned, storage.store):
                console.print(f"uploaded the weights as {pinned.sha256[:12]}", markup=False)
    _keep_boundaries(plans, boundaries, storage)
    return _send(plans, fleet, storage, console, now=stamp)


def run_resume(job_id: str, fleet: Fleet, storage: Storage, *, console: Console, now: datetime) -> ExitCode:
    """Send what a stored job still asks for, from where its cursor stands; BadInput: nothing was enqueued.

    Nothing is resolved again: the stored records are what was asked. `now` is UTC.
    """
    check_storage(storage)
    job = read_job(storage.store, job_id)
    plan = JobPlan(read_dataset(storage.store, job.dataset), job, read_asked(storage.store, job))
    return _send([plan], fleet, storage, console, now=now.isoformat(timespec="seconds"))


def _years_sentence(wish: Wish) -> str:
    years = wish.years
    typed = wish.options.year or wish.options.like
    which = f"year {years[0]}" if len(years) == 1 else f"years {years[0]} to {years[-1]}, one job each"
    return which if typed else f"{which} (the last complete one; --year chooses another)"


def _keep_boundaries(plans: Sequence[JobPlan], boundaries: Boundaries, storage: Storage) -> None:
    # A dataset that another job pinned may follow other boundaries: its land was stored then.
    if any(plan.dataset.boundaries_sha256 == boundaries.sha256 for plan in plans):
        keep_boundaries(storage.store, boundaries.sha256, boundaries.land_flatgeobuf)


def _preview(plans: Sequence[JobPlan], storage: Storage, console: Console) -> ExitCode:
    for plan in plans:
        outcome = preview_job(storage.store, plan)
        console.print(f"would enqueue {outcome_detail(outcome)}", markup=False)
        console.print(outcome_sentence(outcome, is_dry=True), markup=False)
    return ExitCode.DONE


def _send(
    plans: Sequence[JobPlan], fleet: Fleet, storage: Storage, console: Console, *, now: str
) -> ExitCode:
    with SendingBar(console) as bar:
        try:
            outcomes = [enqueue_job(storage, plan, now=now, watcher=bar) for plan in plans]
        except KeyboardInterrupt:
            return _ended(bar, ExitCode.INTERRUPTED, "interrupted")
        except (StorageError, EndedEarly) as error:
            return _ended(bar, ExitCode.ENDED_EARLY, str(error))
    _say_outcomes(outcomes, fleet, console.print)
    if not sys.stdout.isatty():
        # For scripts: everything for people is on stderr.
        sys.stdout.write("".join(f"{outcome.job.id}\n" for outcome in outcomes))
    return ExitCode.DONE


def _ended(bar: SendingBar, code: ExitCode, why: str) -> ExitCode:
    came_to = (
        f"job {bar.interrupted_job} came to tile {bar.position}"
        if bar.interrupted_job
        else "nothing was sent"
    )
    bar.say(f"producer: {why}; {came_to}: type the same command again to go on")
    return code


def _say_outcomes(outcomes: Sequence[Outcome], fleet: Fleet, say: Callable[..., None]) -> None:
    for outcome in outcomes:
        say(outcome_detail(outcome), markup=False)
        say(outcome_sentence(outcome), markup=False)
    if len(outcomes) > 1:
        say(f"campaign {outcomes[0].job.campaign}: {len(outcomes)} jobs", markup=False)
    fleet_option = "" if fleet.is_laptop else f" --fleet {fleet.name}"
    say("next: " + "\n      ".join(next_commands(fleet, outcomes, fleet_option)), markup=False)
