"""All that `fleetctl doctor` looks at, and its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from contract.blob_store import BlobStore
from contract.heartbeat import read_heartbeats
from fleetctl.campaign.worker_table import is_live
from fleetctl.doctor.balance import CHANGES, judge, signs_of
from fleetctl.doctor.findings import Check, Finding, Unwell
from fleetctl.history.follow import LedgerHistory

WINDOW_SECONDS = 1800.0
"""Of attempts: long enough for some tiles of each worker."""


def balance_check(store: BlobStore) -> Check:
    """Whether downloads and inference fit together now."""
    return Check("balance", lambda: _balance(store))


def findings_table(findings: Sequence[Finding]) -> RenderableType:
    """One row per check; below a bad one what mends it."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "check", "found"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        style = "" if finding.is_well else "red"
        table.add_row("ok" if finding.is_well else "NO", Text(finding.check), Text(finding.text), style=style)
        if finding.mend:
            table.add_row("", "", Text(f"mend: {finding.mend}"))
    return table


def findings_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [asdict(finding) for finding in findings]


def _balance(store: BlobStore) -> str:
    history = LedgerHistory(store)
    history.load()
    history.catch_up()
    live = [seen.heartbeat for seen in read_heartbeats(store).seen if is_live(seen)]
    now = store.now().timestamp()
    attempts = history.attempts(now, WINDOW_SECONDS).ended
    signs = signs_of(live, attempts=attempts, done=history.tiles_done(now, WINDOW_SECONDS))
    verdict = judge(signs)
    told = (
        f"{verdict.value}: {signs.attempts} attempts, {signs.error_share:.0%} without a result, "
        f"{signs.ready_per_worker:.1f} tiles per worker wait for inference, {signs.busy_percent:.0f} % busy"
    )
    if verdict in CHANGES:
        raise Unwell(told, CHANGES[verdict])
    return told
