"""The `fleetctl` command, put together from its groups. Words and exits; the work is elsewhere."""

from __future__ import annotations

import signal
from typing import Any, NoReturn

import typer

from fleetctl.commands import (
    calibrate,
    doctor,
    drill,
    estimate,
    explain,
    fleet,
    job,
    local,
    machines,
    money,
    poison,
    prioritise,
    redo,
    results,
    simulate,
    verify,
    watch,
)
from fleetctl.commands.what_stays import what_stays

app = typer.Typer(
    help="Run a fleet, and see what its jobs came to.",
    epilog=what_stays(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (results.status, results.summary, results.mosaic, results.export):
    app.command()(command)
app.command()(verify.verify)
app.command(context_settings={"ignore_unknown_options": True})(explain.explain)  # -33.95,18.45 is no option
app.command()(job.jobs)
app.command()(prioritise.prioritise)
app.command()(redo.redo)
app.command()(drill.drill)
app.command()(watch.watch)
app.command()(simulate.simulate)
app.command()(fleet.use)
app.command()(fleet.up)
app.command()(fleet.plan)
app.command()(fleet.down)
app.command()(machines.drain)
app.command()(machines.stop)
app.command()(machines.start)
app.command()(machines.logs)
app.command()(doctor.doctor)
app.command()(money.prices)
app.command()(calibrate.calibrate)
app.command()(estimate.estimate)
app.command()(money.budget)
app.add_typer(job.group, name="job")
app.add_typer(local.group, name="local")
app.add_typer(poison.group, name="poison")


def run() -> None:
    """The command, to its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # not under nohup
        signal.signal(signal.SIGHUP, _interrupt)
    app(prog_name="fleetctl")


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    """SIGTERM, and a terminal that is closed, are Ctrl-C by other means: a child of ours does not hear them."""
    raise KeyboardInterrupt
