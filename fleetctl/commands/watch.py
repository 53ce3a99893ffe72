"""`fleetctl watch`: the controller as a process that stays. Words and exits; the work is in `controller/`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from fleetctl import wiring
from fleetctl.cli_common import AsJson, FleetName, named_exits, output, say_target

if TYPE_CHECKING:
    from contract.fleet import Fleet
    from fleetctl.controller.alerts import Alerts
    from fleetctl.controller.daemon import Listener
    from fleetctl.history.follow import LedgerHistory
    from fleetctl.settings import Settings


@named_exits()
def watch(
    once: Annotated[bool, typer.Option("--once", help="One tick, then end.")] = False,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics", metavar="[HOST:]PORT", help="Serve Prometheus metrics; default: the setting's."
        ),
    ] = None,
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Keep a fleet working inside its budget: start what was evicted, grow, shrink, move bad machines, alert.

    Runs until SIGTERM or Ctrl-C, which touch no machine. A second one waits until the first is gone.
    Ends with status 3 when another controller took over.

    Example: fleetctl watch --fleet uk
    """
    from contract.log_lines import set_up_logging
    from fleetctl.controller.assemble import assemble
    from fleetctl.controller.receivers import receivers
    from fleetctl.controller.sd_notify import ServiceNotes

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    chosen = say_target(fleet)
    settings = wiring.load_settings()
    file = wiring.load_operator_file(fleet, chosen)
    with ExitStack() as stack:
        listeners = _listeners(stack, chosen, settings, metrics, as_json=as_json, is_once=once)
        set_up_logging(bound={"fleet": chosen.name})  # after the screen, which writes above itself
        assembled = assemble(
            wiring.connect_world(fleet, chosen, settings),
            tells=receivers(file.alerts.webhook, file.alerts.command),
            notes=ServiceNotes(os.environ),
            stop=stop,
            listeners=listeners,
        )
        code = assembled.run(once=once)
    raise typer.Exit(code)


def _listeners(
    stack: ExitStack, fleet: Fleet, settings: Settings, metrics: str | None, *, as_json: bool, is_once: bool
) -> Callable[[LedgerHistory, Alerts], Sequence[Listener]]:
    """Who else is told of ticks: a screen or lines, and the metrics' server. They end with the stack."""
    from rich.live import Live

    from fleetctl.controller.metrics import FleetMetrics
    from fleetctl.controller.metrics_server import parse_address, serve
    from fleetctl.controller.screen import Lines, Screen

    shown: list[Listener] = []
    if as_json:
        shown.append(Lines(output()))
    elif sys.stdout.isatty() and not is_once:
        shown.append(Screen(stack.enter_context(Live(console=output(), auto_refresh=False))))
    where = metrics if metrics is not None else settings.metrics
    address = parse_address(where) if where and not is_once else None

    def make(history: LedgerHistory, alerts: Alerts) -> Sequence[Listener]:
        if address is None:
            return shown
        measured = FleetMetrics(
            fleet.name,
            tiles_done=history.tiles_done,
            stage_seconds=history.stage_seconds,
            alerts_open=lambda: alerts.open_count,
        )
        stack.callback(serve(measured.registry, address, settings.metrics_token).shutdown)
        return [*shown, measured]

    return make
