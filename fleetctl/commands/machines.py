"""`fleetctl drain`, `stop`, `start`, `logs`: one machine. A controller that runs takes a wish up at its next tick."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from fleetctl.cli_common import AsJson, FleetName, connect, named_exits, output
from fleetctl.controller.wish import Wish

if TYPE_CHECKING:
    from contract.blob_store import BlobStore

VmName = Annotated[str, typer.Argument(metavar="VM", help="As `plan` and `status` show it: uk-a10-0003.")]
AFTERWARDS = {
    Wish.DRAIN: "it finishes what it holds and is deleted; where work waits another one is made",
    Wish.STOP: "it finishes what it holds, is deallocated and stays so until `fleetctl start`; its disk is paid for",
    Wish.START: "it starts and takes tiles; with nothing to do it is let go after the idle grace, as any other",
}


@named_exits()
def drain(vm: VmName, fleet: FleetName = None) -> None:
    """Let a machine finish what it holds; then it is deleted, with its disk.

    Example: fleetctl drain uk-a10-0003
    """
    _ask(vm, Wish.DRAIN, fleet)


@named_exits()
def stop(vm: VmName, fleet: FleetName = None) -> None:
    """Let a machine finish what it holds; then it is deallocated and kept, until `fleetctl start`.

    Example: fleetctl stop uk-a10-0003
    """
    _ask(vm, Wish.STOP, fleet)


@named_exits()
def start(vm: VmName, fleet: FleetName = None) -> None:
    """Start a machine that was stopped, or quarantined; what was held against it is forgiven.

    Example: fleetctl start uk-a10-0003
    """
    _ask(vm, Wish.START, fleet)


@named_exits()
def logs(
    vm: VmName,
    count: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000, help="The newest so many.")] = 20,
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Show what a machine's workers last said: their heartbeats, and their newest lines of the ledger.

    The machine's own console is not reachable from here: what happened before its workers spoke for the first
    time is in its boot log, `az vm boot-diagnostics get-boot-log`.

    Example: fleetctl logs uk-a10-0003 -n 50
    """
    from fleetctl.machine_log import log_json, log_page, read_machine_log

    found = read_machine_log(connect(fleet).store, vm, count)
    if as_json:
        print(json.dumps(log_json(found), indent=2))
    else:
        output().print(log_page(found))


def _ask(vm: str, wish: Wish, fleet: str | None) -> None:
    from fleetctl.controller.wishes import ask
    from fleetctl.launch.running import somebody_leads

    store = connect(fleet).store
    _check_known(store, vm)
    ask(store, vm, wish, reason=f"a person typed `fleetctl {wish.value}`")
    print(f"{vm}: {AFTERWARDS[wish]}")
    if name := somebody_leads(store):
        print(f"{name} takes it up at its next tick")
    else:
        print("no controller runs: `fleetctl watch --once` takes it up")


def _check_known(store: BlobStore, vm: str) -> None:
    """BadInput for a machine that neither the controller nor any worker knows: most likely a typing error."""
    from contract.heartbeat import read_heartbeats
    from fleetctl.controller.memory_store import MemoryStore

    known = {*MemoryStore(store).load().vms, *(seen.heartbeat.vm for seen in read_heartbeats(store).seen)}
    if vm not in known:
        close = get_close_matches(vm, known, n=1)
        meant = f", did you mean {close[0]}?" if close else ": `fleetctl plan` and `status` show them"
        raise BadInput(f"there is no machine {vm[:60]!r}{meant}")
