"""What a person sees before money is spent: pools and their prices, and what the next tick would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleetctl import phrases
from fleetctl.controller.plan import Planned
from fleetctl.controller.policy import Offer, Policy


def pools_table(policy: Policy, usd_per_hour: Mapping[Offer, float]) -> RenderableType:
    """Which machines there may be, and what the most of them cost."""
    table = Table(box=None, pad_edge=False)
    for heading in ("pool", "region", "size", "bought", "slots", "min", "max", "$/h each", "$/h all"):
        table.add_column(
            heading, justify="right" if heading in {"slots", "min", "max"} or "$" in heading else "left"
        )
    for pool in policy.pools:
        usd = usd_per_hour.get(pool.offer)
        table.add_row(
            pool.name,
            pool.offer.region,
            pool.offer.size,
            pool.offer.priority.value,
            str(pool.slots),
            str(pool.min_vms),
            str(pool.max_vms),
            phrases.NOTHING if usd is None else f"{usd:.3f}",
            phrases.NOTHING if usd is None else f"{usd * pool.max_vms:.2f}",
        )
    return Group(table, Text(limits_words(policy)))


def limits_words(policy: Policy) -> str:
    """`at most 40 machines; 250.00 USD in all, 60.00 USD a day`."""
    limits = policy.limits
    money = "no budget" if limits.usd is None else f"{limits.usd:.2f} USD in all"
    if limits.usd_per_day is not None:
        money += f", {limits.usd_per_day:.2f} USD a day"
    return f"at most {limits.vms} machines; {money}"


def plan_table(planned: Planned) -> RenderableType:
    """The actions with their reasons, and what could not be seen."""
    lines: list[RenderableType] = [Text(f"not seen: {part}", style="yellow") for part in planned.seen.missing]
    if planned.stopped_for:
        lines.append(Text(f"the fleet lets go: {planned.stopped_for}", style="yellow"))
    if not planned.actions:
        return Group(*lines, Text("nothing to do"))
    table = Table(box=None, pad_edge=False)
    for heading in ("action", "target", "reason"):
        table.add_column(heading, overflow="fold")
    for action in planned.actions:
        table.add_row(action.verb.value, Text(action.target), Text(action.reason))
    return Group(*lines, table)


def plan_json(planned: Planned) -> dict[str, Any]:
    """The same for programs."""
    return {
        "actions": [
            {"verb": action.verb.value, "target": action.target, "reason": action.reason}
            for action in planned.actions
        ],
        "missing": list(planned.seen.missing),
        "stopped_for": planned.stopped_for,
        "machines": len(planned.seen.vms or {}),
    }
