"""The fleet on a terminal, redrawn at every tick; or one JSON line per tick, for programs. Pure but for printing."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fleetctl.controller.changes import ChangeMonitor, decisions
from fleetctl.controller.snapshot import Snapshot
from fleetctl.controller.tick import Ticked

NEWEST_DECISIONS = 8
NOT_SEEN = "?"


class Screen:
    """Listens to ticks, and draws."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._decisions: deque[str] = deque(maxlen=NEWEST_DECISIONS)
        self._changes = ChangeMonitor()

    def on_tick(self, ticked: Ticked) -> None:
        at = datetime.fromtimestamp(ticked.seen.now, UTC).strftime("%H:%M:%S")
        news = self._changes.look(_decided(ticked)).begun
        self._decisions.extend(f"{at} {what}: {why}" for what, why in news.items())
        self._live.update(fleet_screen(ticked, tuple(self._decisions)), refresh=True)

    def on_failed_tick(self, reason: str) -> None:
        self._live.update(Text(f"the storage is away, the workers go on: {reason}"), refresh=True)


class Lines:
    """Listens to ticks, and prints a line for each."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_tick(self, ticked: Ticked) -> None:
        self._print(tick_json(ticked))

    def on_failed_tick(self, reason: str) -> None:
        self._print({"failed": reason})

    def _print(self, facts: dict[str, Any]) -> None:
        self._console.print(json.dumps(facts), markup=False, soft_wrap=True)


def _decided(ticked: Ticked) -> Iterator[tuple[str, str]]:
    """What, and why; or why not."""
    yield from decisions(ticked.done)
    for action, why in ticked.refused:
        yield f"refused {action.verb.value} {action.target}", why


def fleet_screen(ticked: Ticked, decisions: tuple[str, ...]) -> Group:
    """Machines, work, jobs, money, and what was decided last."""
    parts: list[Any] = [_machines(ticked.seen), _jobs(ticked), Text(_work(ticked))]
    parts += [Text(f"not seen: {part}", style="yellow") for part in ticked.seen.missing]
    parts += [Text(line, overflow="ellipsis", no_wrap=True) for line in decisions]
    return Group(*parts)


def tick_json(ticked: Ticked) -> dict[str, Any]:
    """One tick for programs."""
    seen = ticked.seen
    return {
        "time": datetime.fromtimestamp(seen.now, UTC).isoformat(timespec="seconds"),
        "seconds": round(ticked.seconds, 3),
        "machines": None if seen.vms is None else dict(Counter(vm.power.value for vm in seen.vms.values())),
        "workers": None if seen.workers is None else len(seen.workers),
        "queues": None
        if seen.queues is None
        else {"tiles": seen.queues.tiles, "urgent": seen.queues.urgent, "poison": seen.queues.poison},
        "jobs": None
        if seen.jobs is None
        else {job.id: {"asked": job.asked, "committed": job.committed} for job in seen.jobs},
        "usd": round(ticked.memory.spend.paid, 4),
        "done": [
            {"verb": action.verb.value, "target": action.target, "reason": action.reason}
            for action in ticked.done
        ],
        "refused": [
            {"verb": action.verb.value, "target": action.target, "reason": why}
            for action, why in ticked.refused
        ],
        "put_off": len(ticked.put_off),
        "missing": list(seen.missing),
    }


def _machines(seen: Snapshot) -> Table:
    table = Table("pool", "offer", "machines", box=None, pad_edge=False)
    if seen.vms is None:
        table.add_row(NOT_SEEN, NOT_SEEN, NOT_SEEN)
        return table
    for pool in sorted({vm.pool for vm in seen.vms.values()}):
        of_pool = [vm for vm in seen.vms.values() if vm.pool == pool]
        counts = Counter(vm.power.value for vm in of_pool)
        table.add_row(
            pool or "(none of ours)",
            str(of_pool[0].offer),
            ", ".join(f"{count} {power}" for power, count in counts.most_common()),
        )
    return table


def _jobs(ticked: Ticked) -> Table:
    table = Table("job", "state", "committed", "explained", "asked", "USD", box=None, pad_edge=False)
    for job in ticked.seen.jobs or ():
        usd = ticked.memory.spend.by_job.get(job.id, 0.0)
        numbers = (f"{number:,}" for number in (job.committed, job.explained, job.asked))
        table.add_row(job.id, job.state.value, *numbers, f"{usd:,.2f}")
    return table


def _work(ticked: Ticked) -> str:
    seen = ticked.seen
    held = sum(worker.held for worker in seen.workers or ())
    queued = NOT_SEEN if seen.queues is None else f"{seen.queues.tiles + seen.queues.urgent:,}"
    return (
        f"{len(seen.workers or ())} workers hold {held} tiles, {queued} messages, "
        f"{ticked.memory.spend.paid:,.2f} USD paid, last tick {ticked.seconds:.1f} s"
    )
