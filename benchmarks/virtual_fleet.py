"""What evictions cost a fleet of hour-long tiles, and how soon a cancelled job is gone, both in virtual time.

    python benchmarks/virtual_fleet.py                     # both, about three minutes of CPU
    python benchmarks/virtual_fleet.py --tiles 200 --messages 10000

The worker's own code runs; durations are drawn (download 136 s, inference an hour, boot 120 s, requests 20 to
60 ms). Without a notice, work is lost back to the last checkpoint, which is made every three minutes.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from laptop_cloud.virtual.cancellation import cancel_a_job
from laptop_cloud.virtual.fleet import run
from laptop_cloud.virtual.laws import broken_laws
from laptop_cloud.virtual.scenario import steady_days

DAYS = (
    (0.07, 30.0, True),
    (0.07, 0.0, True),
    (0.07, 0.0, False),
    (1.0, 30.0, True),
    (1.0, 0.0, True),
    (1.0, 0.0, False),
)
"""Evictions per VM-hour, seconds of notice, whether tiles leave checkpoints."""

FEWEST_TILES = 100


def goodput(tiles: int, seed: int) -> Table:
    """One row per kind of day."""
    table = Table(
        "evictions/VM-hour", "notice", "checkpoints", "inference kept", "goodput", "lost", "boot", "idle",
        title=f"{tiles} hour-long tiles on 20 machines",
    )  # fmt: skip
    for rate, notice_seconds, has_checkpoints in DAYS:
        scenario = steady_days(
            tiles,
            evictions_per_vm_hour=rate,
            notice_seconds=notice_seconds,
            has_checkpoints=has_checkpoints,
        )
        world = run(scenario, seed)
        if broken := broken_laws(world):
            raise SystemExit(f"seed {seed} broke a law: {broken[0].sentence}")
        account = world.account
        paid = account.paid_seconds
        shares = (
            account.kept_share,
            account.goodput,
            account.lost_seconds / paid,
            account.boot_seconds / paid,
            account.idle_seconds / paid,
        )
        notice = f"{notice_seconds:.0f} s" if notice_seconds else "none"
        checkpoints = "yes" if has_checkpoints else "no"
        table.add_row(f"{rate:g}", notice, checkpoints, *(f"{share:.1%}" for share in shares))
    return table


def cancellation(messages: int, seed: int) -> Table:
    """One row per length of tile."""
    table = Table("inference", "messages", "gone after", title="A cancelled job on 20 busy machines")
    for infer_seconds in (262.0, 3600.0):
        came = cancel_a_job(messages, vms=20, infer_seconds=infer_seconds, seed=seed)
        table.add_row(f"{infer_seconds:.0f} s", f"{came.messages:,}", f"{came.seconds_until_gone:.0f} s")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tiles", type=int, default=800, help="hour-long tiles per kind of day")
    parser.add_argument("--messages", type=int, default=160_000, help="of the cancelled job")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.tiles < FEWEST_TILES:
        parser.error(f"fewer than {FEWEST_TILES} tiles are all tail")
    console = Console()
    console.print(goodput(given.tiles, given.seed))
    console.print(cancellation(given.messages, given.seed))


if __name__ == "__main__":
    main()
