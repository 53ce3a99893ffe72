"""Poison entries for people and for programs. All their texts come from outside and are made safe to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from contract.poison_entry import PoisonEntry
from fleetctl import phrases
from fleetctl.poison.entries import EntryState, FoundEntry
from fleetctl.safe_text import safe_bytes, safe_text

REASON_CHARACTERS = 200


def entries_table(found: Sequence[FoundEntry]) -> RenderableType:
    """One row per entry, and how many still wait for a decision."""
    if not found:
        return Text("nothing is poisoned")
    table = Table(box=None, pad_edge=False)
    for heading in ("dataset", "tile", "state", "cause", "workers", "when", "reason"):
        table.add_column(heading, overflow="fold")
    for one in found:
        dataset, _, tile = one.short_name.partition("/")
        entry = one.entry
        table.add_row(
            Text(safe_text(dataset)),
            Text(safe_text(tile)),
            Text(one.state.value, style="red" if one.state is EntryState.OPEN else ""),
            Text(safe_text(entry.cause) if entry else phrases.NOTHING),
            Text(safe_text(", ".join(entry.workers)) if entry else phrases.NOTHING),
            Text(safe_text(entry.time) if entry else phrases.NOTHING),
            Text(safe_text(entry.reason if entry else one.problem, REASON_CHARACTERS)),
        )
    waiting = sum(one.state is EntryState.OPEN for one in found)
    return Group(
        table, Text(f"{len(found)} entries, {waiting} open: replay them, or drop them with a reason")
    )


def entry_json(found: FoundEntry) -> dict[str, Any]:
    """Everything but the raw bytes, whose text is in it, escaped."""
    record: dict[str, Any] = {"name": found.short_name, "blob": found.blob_name, "state": found.state.value}
    entry = found.entry
    if entry is None:
        return record | {"problem": found.problem}
    return record | {
        "dataset": entry.dataset,
        "tile": entry.tile.name if entry.tile else None,
        "job": entry.job,
        "generation": entry.generation,
        "cause": entry.cause,
        "reason": entry.reason,
        "workers": list(entry.workers),
        "attempts": [list(attempt) for attempt in entry.attempts],
        "tries": dict(entry.tries),
        "log_lines": list(entry.log_lines),
        "when": entry.time,
        "queue": entry.queue,
        "delivery_count": entry.delivery_count,
        "raw": safe_bytes(entry.raw),
        "dropped": {"reason": entry.dropped.reason, "when": entry.dropped.when} if entry.dropped else None,
    }


def entry_page(found: FoundEntry) -> RenderableType:
    """The whole entry."""
    entry = found.entry
    if entry is None:
        return Text(f"{found.short_name} is unreadable: {safe_text(found.problem)}\n{safe_bytes(found.data)}")
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for name, value in _facts(found, entry):
        facts.add_row(name, Text(safe_text(value)))
    parts: list[RenderableType] = [facts]
    if entry.attempts:
        parts.append(_attempts_table(entry))
    if entry.log_lines:
        parts += [Text("\nlast log lines", style="dim"), *(Text(safe_text(line)) for line in entry.log_lines)]
    parts += [Text("\nmessage as received", style="dim"), Text(safe_bytes(entry.raw))]
    return Group(*parts)


def _facts(found: FoundEntry, entry: PoisonEntry) -> list[tuple[str, str]]:
    state = found.state.value
    if entry.dropped:
        state = f"{state} {entry.dropped.when}: {entry.dropped.reason}"
    facts = [("entry", found.short_name), ("state", state), ("cause", entry.cause), ("reason", entry.reason)]
    if entry.tile is not None:
        facts += [("job", entry.job), ("generation", str(entry.generation))]
        tries = ", ".join(f"{count} {cause}" for cause, count in sorted(entry.tries.items()))
        facts.append(("tries", tries or phrases.NOTHING))
    facts.append(("when", entry.time))
    facts.append(("received", f"from {entry.queue}, delivered {entry.delivery_count} times"))
    return facts


def _attempts_table(entry: PoisonEntry) -> Table:
    table = Table(box=None, pad_edge=False, title="\nlast attempts", title_justify="left", title_style="dim")
    for heading in ("attempt", "worker", "cause", "error"):
        table.add_column(heading, overflow="fold")
    for attempt in entry.attempts:
        table.add_row(*(Text(safe_text(word)) for word in attempt))
    return table
