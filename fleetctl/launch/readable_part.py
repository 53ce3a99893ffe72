"""What of a fleet file can be read although other parts of it are wrong, so that its budget is looked at, too. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from fleetctl.controller.policy import Limits, Offer, Priority
from fleetctl.launch.check import PoolSeen


def readable_pools(content: Mapping[str, Any]) -> Iterator[PoolSeen]:
    """Those whose machines are named, in a TOML's content."""
    listed = content.get("pools")
    for number, table in enumerate(listed if isinstance(listed, list) else ()):
        words = table if isinstance(table, dict) else {}
        region, size, priority = words.get("region"), words.get("size"), words.get("priority", Priority.SPOT)
        if isinstance(region, str) and isinstance(size, str) and priority in tuple(Priority):
            yield PoolSeen(number, str(words.get("name")), Offer(region, size, Priority(priority)))


def readable_budget(content: Mapping[str, Any]) -> Limits:
    """As far as its amounts are amounts; of machines it says nothing."""
    table = content.get("budget")
    budget = table if isinstance(table, dict) else {}
    return Limits(vms=0, usd=_amount(budget.get("usd")), usd_per_day=_amount(budget.get("usd_per_day")))


def readable_manager(content: Mapping[str, Any]) -> str:
    """The Resource Manager's address; empty where none is written."""
    table = content.get("azure")
    url = table.get("resource_manager_url", "") if isinstance(table, dict) else ""
    return url if isinstance(url, str) else ""


def _amount(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None
