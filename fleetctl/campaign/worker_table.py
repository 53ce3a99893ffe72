"""Who is at work, from heartbeats: one row per live worker, and how many have fallen silent."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from contract.heartbeat import Heartbeat, Heartbeats, HeldTile, SeenHeartbeat, WorkerState
from fleetctl import phrases

LIVE_SECONDS = 90.0
"""A worker reports every ten seconds unless told otherwise; as long as a lease, it counts as alive."""
SHOWN_TILES = 3
"""Of one worker: the one in inference, and those nearest to it."""
STAGES_BY_NEARNESS = ("infer", "ready", "prepare", "upload", "settle", "inferred", "download", "received")
STYLES = {WorkerState.UNFIT: "red", WorkerState.LEAVING: "yellow", WorkerState.IDLE: "dim"}


def is_live(seen: SeenHeartbeat) -> bool:
    """Whether it was heard of lately, by the store's clock."""
    return seen.age_seconds <= LIVE_SECONDS


def workers_table(heartbeats: Heartbeats) -> RenderableType:
    """Live workers in the order of their names; below, what the table leaves out."""
    live = sorted(filter(is_live, heartbeats.seen), key=lambda seen: seen.heartbeat.worker)
    silent = len(heartbeats.seen) - len(live)
    notes = []
    if silent:
        notes.append(Text(f"{silent} silent for more than {LIVE_SECONDS:.0f} s", style="dim"))
    if heartbeats.unreadable:
        notes.append(Text(f"{len(heartbeats.unreadable)} heartbeats are not readable by this version"))
    if not live:
        return Group(Text("workers: none at work"), *notes)
    return Group(_table(live), *notes)


def tiles_words(heartbeat: Heartbeat) -> str:
    """`infer grid_-4.55_54.15 40 %, download grid_-4.45_54.15 5 %, and 1 more`."""
    nearest = sorted(heartbeat.tiles, key=_nearness)[:SHOWN_TILES]
    words = [f"{held.stage} {held.tile} {held.progress:.0%}" for held in nearest]
    if (others := heartbeat.held_count - len(nearest)) > 0:
        words.append(f"and {others} more")
    return ", ".join(words) or heartbeat.reason or phrases.NOTHING


def _table(live: list[SeenHeartbeat]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("worker", "state", "heard", "held", "cpu", "memory", "gpu", "tiles"):
        is_text = heading in {"worker", "state", "tiles"}
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading != "tiles")
    for seen in live:
        heartbeat = seen.heartbeat
        table.add_row(
            Text(heartbeat.worker),
            heartbeat.state.value,
            f"{seen.age_seconds:.0f} s ago",
            str(heartbeat.held_count),
            phrases.percent(heartbeat.cpu_percent),
            phrases.size(heartbeat.memory_bytes),
            phrases.percent(heartbeat.gpu_percent),
            Text(tiles_words(heartbeat)),
            style=STYLES.get(heartbeat.state),
        )
    return table


def _nearness(held: HeldTile) -> int:
    order = STAGES_BY_NEARNESS
    return order.index(held.stage) if held.stage in order else len(order)
