"""`fleetctl verify`: is a job complete, and is every byte that it should have there? Words and exits."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from fleetctl import wiring
from fleetctl.cli_common import AsJson, FleetName, JobName, Yes, confirm, connect, errors, named_exits, output
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from contract.job import Job
    from fleetctl.audit.repair import RepairPlan


@named_exits()
def verify(
    job: JobName,
    repair: Annotated[
        bool, typer.Option("--repair", help="Finish publications; have done again what is gone or wrong.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Check that everything that a job asked for is committed and whole, or explained.

    Ends with status 0 when the job is complete, 1 when it is not, 2 for a mistake.

    Example: fleetctl verify isle-of-man-2024
    """
    from fleetctl.audit.repair import are_empty, plan_repair
    from fleetctl.audit.verdict_table import print_verdict, verdict_json
    from fleetctl.audit.verify import verify as verify_job
    from fleetctl.campaign.job_list import choose_job
    from fleetctl.progress_bars import listing_progress

    if repair and as_json:
        raise BadInput("--repair and --json do not go together: look first, then repair")
    storage, connections = connect(fleet), wiring.load_settings().connections
    chosen = choose_job(storage.store, job)
    are_queues_empty = repair and are_empty(storage.queues)
    with listing_progress(errors, "listing") as on_blobs:
        audit = verify_job(storage.store, chosen, connections=connections, on_blobs=on_blobs)
    if as_json:
        print(json.dumps(verdict_json(audit.verdict, audit.findings), indent=2))
    else:
        print_verdict(output(), audit.verdict, audit.findings)
    if repair:
        _repair(storage, chosen, plan_repair(audit, are_queues_empty=are_queues_empty), connections, yes=yes)
    if not audit.verdict.is_complete:
        raise typer.Exit(ExitCode.INCOMPLETE)


def _repair(storage: wiring.Storage, job: Job, plan: RepairPlan, connections: int, *, yes: bool) -> None:
    from fleetctl.audit.repair import carry_out
    from fleetctl.audit.verdict_table import plan_sentences
    from fleetctl.progress_bars import tile_progress

    for sentence in plan_sentences(plan):
        print(sentence)
    if plan.is_empty:
        return
    confirm("do that?", f"nothing of {job.id} was repaired", yes=yes)
    deeds: Counter[str] = Counter()
    steps = len(plan.to_publish) + len(plan.to_redo) + len(plan.to_remove) + len(plan.to_ask)
    with tile_progress(errors, "repairing", steps) as on_tile:
        done = carry_out(
            storage.store, storage.queues, job, plan, now=datetime.now(UTC), connections=connections
        )
        for repaired in done:
            deeds[repaired.deed] += 1
            on_tile()
    for deed, count in deeds.most_common():
        print(f"{count:,} tiles: {deed}")
    print(f"type `fleetctl verify {job.id}` again when workers have done what was asked")
