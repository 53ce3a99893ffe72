"""`fleetctl verify`: is a job complete, and is every byte that it should have there? Words and exits."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from fleetctl import wiring
from fleetctl.cli_common import AsJson, FleetName, JobName, Yes, confirm, connect, errors, named_exits, output
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from contract.blob_store import BlobStore
    from contract.job import Job
    from fleetctl.audit.repair import RepairPlan
    from fleetctl.audit.verify import Audit


@named_exits()
def verify(
    job: JobName,
    repair: Annotated[
        bool, typer.Option("--repair", help="Finish publications; have done again what is gone or wrong.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read the bytes as well: hashes, shapes, not all zero, scales.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, metavar="N", help="With --deep: of N tiles by chance only."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="NUMBER", help="With --sample: which; default: printed.")
    ] = None,
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

    check_options(repair=repair, as_json=as_json, deep=deep, sample=sample, seed=seed)
    storage, connections = connect(fleet), wiring.load_settings().connections
    chosen = choose_job(storage.store, job)
    are_queues_empty = repair and are_empty(storage.queues)
    with listing_progress(errors, "listing") as on_blobs:
        audit = verify_job(storage.store, chosen, connections=connections, on_blobs=on_blobs)
    if deep:
        audit = _read_bytes(storage.store, audit, connections, sample, seed)
    if as_json:
        print(json.dumps(verdict_json(audit.verdict, audit.findings), indent=2))
    else:
        print_verdict(output(), audit.verdict, audit.findings)
    if repair:
        _repair(storage, chosen, plan_repair(audit, are_queues_empty=are_queues_empty), connections, yes=yes)
    if not audit.verdict.is_complete:
        raise typer.Exit(ExitCode.INCOMPLETE)


def check_options(*, repair: bool, as_json: bool, deep: bool, sample: int | None, seed: int | None) -> None:
    """BadInput for options that do not fit each other."""
    if repair and as_json:
        raise BadInput("--repair and --json do not go together: look first, then repair")
    if sample is not None and not deep:
        raise BadInput("--sample says how many tiles to read the bytes of: add --deep")
    if seed is not None and sample is None:
        raise BadInput("--seed says which tiles are in the sample: add --sample N")


def _read_bytes(
    store: BlobStore, audit: Audit, connections: int, sample: int | None, seed: int | None
) -> Audit:
    from fleetctl.audit.deep import choose_sample, look_deep
    from fleetctl.audit.verdict import Standing
    from fleetctl.audit.verify import with_deep_findings
    from fleetctl.progress_bars import byte_progress

    there = audit.verdict.committed + audit.verdict.wrong
    wanted = min(there, sample or there)
    seed = secrets.randbelow(2**31) if seed is None else seed
    chosen = choose_sample(audit.tiles_that_are(Standing.COMMITTED), there, sample, seed)
    of_whom = f", --seed {seed}" if wanted < there else ""
    errors.print(f"reading the bytes of {wanted:,} of {there:,} committed tiles{of_whom}", markup=False)
    with (
        TemporaryDirectory(prefix="tilefleet-verify-") as folder,
        byte_progress(errors, "reading", wanted) as on_tile,
    ):
        found = look_deep(
            store, audit.job.dataset, chosen, folder=Path(folder), connections=connections, on_tile=on_tile
        )
        return with_deep_findings(audit, found)


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
