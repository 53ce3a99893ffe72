"""What `fleetctl verify` prints: a short table, the faults by name, and one final sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from fleetctl.audit.beside import Beside
from fleetctl.audit.faults import TileFinding
from fleetctl.audit.repair import RepairPlan
from fleetctl.audit.verdict import EXPLAINED, Standing, Verdict
from fleetctl.safe_text import safe_text

FAULTS_SHOWN = 20

_WORDS = {
    Standing.POISON: "given up, see `fleetctl poison list`",
    Standing.CANCELLED: "cancelled with the job",
    Standing.ASKED_AGAIN: "revoked and asked again, not committed yet",
    Standing.QUEUED: "queued or in work",
    Standing.AWAITS_APPROVAL: "waiting for the canary's approval",
    Standing.NOT_SENT: "not sent yet",
}


def print_verdict(console: Console, verdict: Verdict, findings: Sequence[TileFinding]) -> None:
    """The table, at most FAULTS_SHOWN faults, the sentence."""
    console.print(f"{verdict.job}, asked of {verdict.dataset}", markup=False, soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column()
    for count, words in _rows(verdict):
        table.add_row(f"{count:,}", words)
    console.print(table)
    _print_faults(console, findings)
    for line in _beside_lines(verdict.beside):
        console.print(line, markup=False, soft_wrap=True)
    if verdict.unmarked:
        line = (
            f"{verdict.unmarked:,} artifacts do not say whose they are: their tiles were checked one by one"
        )
        console.print(line, markup=False, soft_wrap=True)
    console.print(final_sentence(verdict), markup=False, soft_wrap=True)


def final_sentence(verdict: Verdict) -> str:
    """Complete or not, and why."""
    if verdict.is_complete:
        how = f"{verdict.committed:,} committed, {verdict.explained:,} explained"
        return f"complete: {verdict.asked:,} asked = {how}"
    parts = []
    if faults := sum(verdict.faults.values()):
        parts.append(f"{faults:,} {'thing is' if faults == 1 else 'things are'} wrong")
    if verdict.left:
        parts.append(f"{verdict.left:,} of {verdict.asked:,} tiles are neither committed nor explained")
    remedy = f"; `fleetctl verify {verdict.job} --repair` mends what can be mended" if faults else ""
    return f"not complete: {' and '.join(parts)}{remedy}"


def plan_sentences(plan: RepairPlan) -> Iterator[str]:
    """What a repair is going to do, and what it leaves."""
    if plan.is_empty:
        yield "there is nothing to repair"
    if plan.to_publish:
        yield f"repair finishes the publication of {len(plan.to_publish):,} tiles"
    if plan.to_remove:
        yield f"repair removes left-over artifacts of {len(plan.to_remove):,} tiles"
    if plan.to_redo:
        yield f"repair revokes {len(plan.to_redo):,} tiles and asks for them again"
    if plan.to_ask:
        yield f"repair asks for {len(plan.to_ask):,} tiles again, in case they have no message"
    if plan.poisoned:
        yield f"{plan.poisoned:,} poisoned tiles stay as they are: `fleetctl poison replay` asks for them again"


def verdict_json(verdict: Verdict, findings: Sequence[TileFinding]) -> dict[str, Any]:
    """The same for programs, with every fault."""
    beside = verdict.beside
    return {
        "job": verdict.job,
        "dataset": verdict.dataset,
        "is_complete": verdict.is_complete,
        "asked": verdict.asked,
        "committed": verdict.committed,
        "wrong": verdict.wrong,
        "explained": verdict.explained,
        "standings": {standing.value: count for standing, count in verdict.standings.items()},
        "faults": [
            {
                "tile": finding.tile.name,
                "generation": finding.generation,
                "kind": fault.kind.value,
                "artifact": fault.artifact,
                "detail": fault.detail,
            }
            for finding in findings
            for fault in finding.faults
        ],
        "left_over": {
            "staging": beside.staging.left_over,
            "checkpoints": beside.checkpoints.left_over,
            "second_claims": beside.second_claims.left_over,
        },
        "blobs": verdict.blobs,
    }


def _rows(verdict: Verdict) -> Iterator[tuple[int, str]]:
    yield verdict.asked, "asked"
    yield verdict.committed, "committed and whole"
    if verdict.wrong:
        yield verdict.wrong, "committed and not whole"
    for standing in (*EXPLAINED, *(s for s in verdict.standings if s not in EXPLAINED)):
        if count := verdict.standings[standing]:
            yield count, _WORDS[standing]


def _print_faults(console: Console, findings: Sequence[TileFinding]) -> None:
    lines = [
        safe_text(
            f"  {finding.tile} {fault.kind}: {fault.artifact or f'g{finding.generation}'}, {fault.detail}"
        )
        for finding in findings
        for fault in finding.faults
    ]
    for line in lines[:FAULTS_SHOWN]:
        console.print(line, markup=False, soft_wrap=True, style="red")
    if len(lines) > FAULTS_SHOWN:
        console.print(f"  and {len(lines) - FAULTS_SHOWN:,} more: --json names all of them")


def _beside_lines(beside: Beside) -> Iterator[str]:
    kinds = (
        (beside.staging, "staging blobs"),
        (beside.checkpoints, "checkpoints"),
        (beside.second_claims, "claims to second attempts"),
    )
    left = [f"{count.left_over:,} {what}" for count, what in kinds if count.left_over]
    if left:
        yield f"left over of committed tiles, and harmless: {', '.join(left)}"
