"""`fleetctl verify`: is a job complete, and is every byte that it should have there? Words and exits."""

from __future__ import annotations

import json

import typer

from fleetctl import wiring
from fleetctl.cli_common import AsJson, FleetName, JobName, connect, errors, named_exits, output
from fleetctl.exit_codes import ExitCode


@named_exits()
def verify(job: JobName, as_json: AsJson = False, fleet: FleetName = None) -> None:
    """Check that everything that a job asked for is committed and whole, or explained.

    Ends with status 0 when the job is complete, 1 when it is not, 2 for a mistake.

    Example: fleetctl verify isle-of-man-2024
    """
    from fleetctl.audit.verdict_table import print_verdict, verdict_json
    from fleetctl.audit.verify import verify as verify_job
    from fleetctl.campaign.history import choose_job
    from fleetctl.progress_bars import listing_progress

    store = connect(fleet).store
    chosen = choose_job(store, job)
    with listing_progress(errors, "listing") as on_blobs:
        audit = verify_job(store, chosen, connections=wiring.load_settings().connections, on_blobs=on_blobs)
    if as_json:
        print(json.dumps(verdict_json(audit.verdict, audit.findings), indent=2))
    else:
        print_verdict(output(), audit.verdict, audit.findings)
    if not audit.verdict.is_complete:
        raise typer.Exit(ExitCode.INCOMPLETE)
