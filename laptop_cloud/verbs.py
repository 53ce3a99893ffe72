"""The verbs of `laptop-cloud` that trouble one that runs: `evict`, `kill`, `freeze` and the rest."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from contract.errors import BadInput
from contract.fleet import laptop_folder
from laptop_cloud.control.client import order
from laptop_cloud.managed_verbs import add_managed_verbs

NOTICE_SECONDS = 30.0
"""Azure's, when it gives any."""
Vm = Annotated[str, typer.Argument(help="Name of the VM, as `laptop-cloud vms` shows it.", metavar="VM")]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="How long.")]
Percent = Annotated[float, typer.Option(min=0, max=100, help="Percent of the requests.")]


class Target(StrEnum):
    """What can be throttled."""

    STORAGE = "storage"
    IMAGERY = "imagery"
    MACHINES = "machines"
    """The interface by which they are made and asked for, not they."""


def add_verbs(app: typer.Typer) -> None:
    """Commands of their own, next to `up` and `demo`."""
    for verb in (vms, evict, kill, freeze, sicken, fill, throttle, start):
        app.command()(verb)
    add_managed_verbs(app, _order)


def vms() -> None:
    """The VMs and their states. Example: laptop-cloud vms"""
    table = Table("VM", "power", "boot", "slots", "consumer", "log", box=None)
    for row in _order("vms"):
        log = os.path.relpath(row["log"]) if row["log"] else ""
        table.add_row(row["name"], row["power"], str(row["boot"]), str(row["slots"]), row["consumer"], log)
    Console().print(table)


def evict(
    vm: Annotated[str | None, typer.Argument(help="Name of the VM.", metavar="VM")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="All VMs that run, at once.")] = False,
    without_notice: Annotated[bool, typer.Option("--no-notice", help="Without a word.")] = False,
    notice_seconds: Annotated[
        float, typer.Option("--notice-seconds", min=0, help="From the notice to the end.")
    ] = NOTICE_SECONDS,
) -> None:
    """Take a VM away, as Azure takes a spot VM: notice, then deallocation. Example: laptop-cloud evict laptop-1"""
    if (vm is None) != everyone:
        raise BadInput("evict needs one of the two: the name of a VM, or --all")
    print(_order("evict", vm=vm, notice_seconds=None if without_notice else notice_seconds))


def kill(vm: Vm) -> None:
    """SIGKILL for all processes of a VM's consumer. Example: laptop-cloud kill laptop-1"""
    print(_order("kill", vm=vm))


def freeze(vm: Vm, seconds: Seconds = 120) -> None:
    """Stop all processes of a VM, then let them go on. Example: laptop-cloud freeze laptop-1 --seconds 200"""
    print(_order("freeze", vm=vm, seconds=seconds))


def sicken(vm: Vm) -> None:
    """Make a VM's GPU sick until the VM is deallocated. Example: laptop-cloud sicken laptop-1"""
    print(_order("sicken", vm=vm))


def fill(vm: Vm) -> None:
    """Fill a VM's temporary disk until the VM is started again. Example: laptop-cloud fill laptop-1"""
    print(_order("fill", vm=vm))


def start(vm: Vm) -> None:
    """Start a VM that was deallocated. Example: laptop-cloud start laptop-1"""
    print(_order("start", vm=vm))


def throttle(
    target: Annotated[Target, typer.Argument(help="storage, imagery or machines.")] = Target.STORAGE,
    rate: Percent = 0.0,
    status: Annotated[
        int, typer.Option(help="With which these are refused: 503 (busy) or 500 (timed out); storage only.")
    ] = 503,
    latency: Annotated[float, typer.Option(min=0, help="Milliseconds that every answer waits.")] = 0.0,
    cut: Percent = 0.0,
    seconds: Seconds = 60,
) -> None:
    """Make storage or imagery slow and unreliable. Example: laptop-cloud throttle storage --rate 20 --latency 500"""
    if target is Target.MACHINES:
        if rate or latency or cut:
            raise BadInput("requests about machines are all refused: give --seconds alone")
        print(_order("throttle-machines", seconds=seconds))
        return
    if not (rate or latency or cut):
        raise BadInput("throttle needs at least one of --rate, --latency and --cut")
    print(_order(f"throttle-{target}", faults=_faults(target, rate, status, latency, cut), seconds=seconds))


def _faults(target: Target, rate: float, status: int, latency: float, cut: float) -> dict[str, float]:
    if target is Target.IMAGERY:
        if status != 503:
            raise BadInput("the imagery server refuses with 429 and 503 in turn: leave --status out")
        return {"throttle_percent": rate, "late_ms": latency, "cut_percent": cut}
    if status not in {500, 503}:
        raise BadInput(f"--status {status}: the storage refuses with 503 or 500")
    refusal = "busy_percent" if status == 503 else "timed_out_percent"
    # Half of the cuts lose the request, half the answer.
    return {refusal: rate, "latency_ms": latency, "cut_before_percent": cut / 2, "cut_after_percent": cut / 2}


def _order(name: str, **arguments: Any) -> Any:
    return order(laptop_folder(os.environ, Path.cwd()).absolute(), name, **arguments)
