"""`fleetctl doctor`: what keeps a fleet from working, and what mends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from contract.log_lines import set_up_logging
from fleetctl import wiring
from fleetctl.cli_common import AsJson, FleetName, named_exits, output, say_target
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.fleet import Fleet
    from fleetctl.doctor.findings import Check
    from fleetctl.settings import Settings


@named_exits()
def doctor(
    before: Annotated[
        bool, typer.Option("--before", help="Only what must be right before the first `fleetctl up`.")
    ] = False,
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Check credentials, roles, sizes, quota, queues, clock, controller and the balance of download and inference.

    Each check stands by itself, and a bad one names the command that mends it. Status 1 when one is bad.

    Example: fleetctl doctor --before --fleet uk
    """
    from fleetctl.doctor.findings import examine
    from fleetctl.doctor.run import findings_json, findings_table

    set_up_logging()
    chosen, settings = say_target(fleet), wiring.load_settings()
    findings = examine(_checks(fleet, chosen, settings, before=before))
    if as_json:
        print(json.dumps(findings_json(findings), indent=2))
    else:
        output().print(findings_table(findings))
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(ExitCode.INCOMPLETE)


def _checks(named: str | None, fleet: Fleet, settings: Settings, *, before: bool) -> list[Check]:
    """A fleet file without machines leaves out the cloud, and says so."""
    from fleetctl.cloud.new_vms import check_bodies
    from fleetctl.doctor.cloud_checks import cloud_checks
    from fleetctl.doctor.findings import Check
    from fleetctl.doctor.run import balance_check
    from fleetctl.doctor.storage_checks import storage_checks

    checks: list[Check] = []
    try:
        file = wiring.load_operator_file(named, fleet)
    except BadInput as error:
        checks.append(Check("fleet file", _raises(error), "mend the file; nothing else was touched"))
    else:
        problems = check_bodies(fleet, file)
        found = BadInput("\n".join(problems)) if problems else None
        checks.append(Check("fleet file", _raises(found) if found else lambda: f"{file.path} is sound"))
        checks += cloud_checks(wiring.connect_machines(fleet, file), file)
    if not before:
        storage = wiring.connect(fleet, settings)
        checks += storage_checks(fleet, storage.store, storage.queues, lambda: datetime.now(UTC))
        checks.append(balance_check(storage.store))
    return checks


def _raises(error: Exception) -> Callable[[], str]:
    def look() -> str:
        raise error

    return look
