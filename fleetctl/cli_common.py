"""What every command of fleetctl shares: its options, its target line, its exits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from contract.errors import BadInput, StorageError
from contract.fleet import Fleet
from fleetctl import wiring
from fleetctl.exit_codes import ExitCode

errors = Console(stderr=True, highlight=False, soft_wrap=True)

FleetName = Annotated[
    str | None, typer.Option("--fleet", metavar="NAME", help="Of fleets/NAME.toml; or `laptop`.")
]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or its name where only one job has it.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@contextmanager
def named_exits() -> Iterator[None]:
    """Only mistakes and storage are expected here; anything else is a bug and shows where."""
    try:
        yield
    except (BadInput, StorageError) as error:
        errors.print(f"fleetctl: {error}", style="red", markup=False)
        raise typer.Exit(ExitCode.BAD_INPUT) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(ExitCode.INTERRUPTED) from error


def say_target(named: str | None) -> Fleet:
    """The fleet that was named or is chosen here, said on stderr."""
    fleet = wiring.load_fleet(named)
    errors.print(fleet.target_line, markup=False)
    return fleet


def connect(named: str | None) -> wiring.Storage:
    """That fleet's storage."""
    return wiring.connect(say_target(named), wiring.load_settings())


def confirm(question: str, refusal: str, *, yes: bool) -> None:
    """Ask before what cannot be undone or costs money; BadInput says that nothing was done."""
    if not yes and not (sys.stdin.isatty() and typer.confirm(question)):
        raise BadInput(f"{refusal}: confirm it, or add --yes")


def output() -> Console:
    """Tables are as wide as they need to be where nobody watches."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)
