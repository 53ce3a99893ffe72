"""`consumer selftest`, and the same looks before a worker's first tile: is this machine fit, and why not?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from consumer import fitness, gpus
from consumer.datasets import Machine
from consumer.exit_codes import ExitCode
from consumer.fitness import Check, why_unfit
from consumer.recipe import Imagery, Recipe, RecipeContext
from contract.dataset import Dataset
from contract.errors import BadInput, TilefleetError
from contract.recipe import find_recipe

NO_CATALOGUE = "http://127.0.0.1:9"
"""For a self-test without a fleet, which looks at nothing outside this machine."""
TABLE_COLUMNS = 160
"""Where nobody watches, lines are not cut to a screen."""
SHOWN = ("model", "dtype")
"""Parameters that tell one recipe's engines apart."""
MARKS = {True: "ok", False: "NOT OK", None: "-"}


def machine_checks(machine: Machine, environ: Mapping[str, str], storages: datetime | None) -> list[Check]:
    """Everything but the recipe's numbers; well under a second without a GPU. `storages`: its clock now."""
    return [
        fitness.check_device(machine.device, fitness.cpu_flags(), machine.threads),
        *_gpu_checks(machine, environ),
        fitness.check_disk("scratch", machine.scratch_folder),
        fitness.check_disk("cache", machine.cache_folder),
        fitness.check_memory(),
        fitness.check_clock(datetime.now(UTC), storages),
    ]


def running_checks(machine: Machine, environ: Mapping[str, str], storages: datetime | None) -> list[Check]:
    """What may go wrong with a machine that works: the same looks, but for room that its own tiles fill."""
    return [
        *_gpu_checks(machine, environ),
        fitness.check_disk("scratch", machine.scratch_folder, least_bytes=0),
        fitness.check_disk("cache", machine.cache_folder, least_bytes=0),
        fitness.check_memory(least_bytes=fitness.LEAST_MEMORY_LEFT_BYTES),
        fitness.check_clock(datetime.now(UTC), storages),
    ]


def _gpu_checks(machine: Machine, environ: Mapping[str, str]) -> list[Check]:
    if machine.device == "cpu":
        return []
    look = gpus.look_at_gpus()
    ours = gpus.GpuLook(gpus.own_gpus(environ, look.gpus), look.trouble)
    return fitness.check_gpus(ours, gpus.kernel_log())


def recipe_check(recipe: str, given: Mapping[str, str], machine: Machine) -> Check:
    """The recipe's own self-test, with seeded weights where it uses any. BadInput for what is no recipe."""
    context = bare_context(recipe, given, machine)
    name = " ".join([recipe, *(str(context.settings[key]) for key in SHOWN if key in context.settings)])
    began = time.monotonic()
    try:
        opened: Recipe = find_recipe(recipe).load()(context)
        opened.selftest()
    except BadInput:
        raise
    except (TilefleetError, ImportError, OSError, MemoryError, RuntimeError) as error:
        return Check(name, f"{error}", "known results", is_ok=False)
    return Check(
        name,
        f"known results, loaded and checked in {time.monotonic() - began:.1f} s",
        "known results",
        is_ok=True,
    )


def bare_context(recipe: str, given: Mapping[str, str], machine: Machine) -> RecipeContext:
    """Enough of a dataset to open a recipe without any fleet."""
    declaration = find_recipe(recipe)
    settings = declaration.resolve(given)
    changing = {parameter.name for parameter in declaration.parameters if parameter.changes_result}
    return RecipeContext(
        dataset=Dataset(
            recipe=recipe,
            code_version=declaration.code_version,
            period="2024",
            parameters={name: value for name, value in settings.items() if name in changing},
            weights_sha256=None,
            is_trained=False,
            boundaries_sha256="0" * 64,
        ),
        settings=settings,
        imagery=Imagery(machine.stac_url, ""),
        weights=None,
        land=machine.cache_folder / "no land.fgb",
        scratch=machine.scratch_folder,
        device=machine.device,
        threads=machine.threads,
    )


def report(checks: Sequence[Check]) -> ExitCode:
    """Print the table and the verdict; UNFIT when a check failed."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_COLUMNS)
    table = Table("check", "found", "wanted", "ok", box=None)
    for check in checks:
        style = "bold red" if check.is_ok is False else None
        table.add_row(check.name, check.found, check.wanted, MARKS[check.is_ok], style=style)
    console.print(table)
    reason = why_unfit(checks)
    console.print(f"unfit: {reason}" if reason else "fit", highlight=False, markup=False, soft_wrap=True)
    return ExitCode.UNFIT if reason else ExitCode.DONE
