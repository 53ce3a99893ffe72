"""What `fleetctl watch` draws on a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from rich.live import Live

from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.memory import Memory
from fleetctl.controller.screen import Screen, tick_json
from fleetctl.controller.snapshot import Power, Snapshot, VmSeen
from fleetctl.controller.tick import Ticked
from tests.machines_double import OFFER

STARTED = Action(Verb.START, "uk-a10-0001", "1 more slots are wanted")
REFUSED = Action(Verb.START, "uk-a10-0002", "2 more slots are wanted")
FULL = Action(Verb.ALERT, "offer:spot a10", "nothing can be started: quota 350")


def test_a_decision_stands_there_once_while_it_holds_and_a_refused_one_says_why():
    written = io.StringIO()
    console = Console(file=written, width=120, force_terminal=True)
    vms = {"uk-a10-0001": VmSeen("uk-a10-0001", "a10", OFFER, Power.RUNNING)}
    screen = Screen(Live(console=console, auto_refresh=False))
    for done, refused in (((STARTED, REFUSED, FULL), ((REFUSED, "sold out"),)), ((FULL,), ()), ((FULL,), ())):
        screen.on_tick(Ticked(Snapshot(1e9, vms, (), None, ()), Memory(), done, (), refused, 0.1))
    console.print(screen._live.renderable)
    last = written.getvalue().rpartition("last tick")[2]
    assert last.count(FULL.reason) == 1
    assert f"start {STARTED.target}: {STARTED.reason}" in last
    assert f"refused start {REFUSED.target}: sold out" in last
    assert f" start {REFUSED.target}: 2" not in last


def test_a_refused_action_is_not_among_those_that_were_done():
    ticked = Ticked(
        Snapshot(1e9, {}, (), None, ()), Memory(), (STARTED, REFUSED), (), ((REFUSED, "sold out"),), 0.1
    )
    told = tick_json(ticked)
    assert [action["target"] for action in told["done"]] == [STARTED.target]
    assert [action["target"] for action in told["refused"]] == [REFUSED.target]
