"""Is a fleet file worth starting with? Everything that would be refused later, found before anything is made. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fleetctl.cloud.skus import SizeSeen, why_not_offered
from fleetctl.controller.policy import Limits, Offer, Policy, Pool


def why_not_up(
    policy: Policy, sizes: Mapping[str, Mapping[str, SizeSeen]], usd_per_hour: Mapping[Offer, float]
) -> list[str]:
    """Every problem, one sentence each; none: it may start. `sizes`: by region, then by size in lower case."""
    problems: list[str] = []
    for pool in policy.pools:
        of_region = sizes.get(pool.offer.region)
        if of_region is not None and (why := why_not_offered(of_region, pool.offer)):
            problems.append(f"pool {pool.name}: {why}")
        problems += _too_dear(pool, usd_per_hour.get(pool.offer), policy.limits)
        problems += _never_fits(pool, policy.limits)
    return problems


def _too_dear(pool: Pool, usd: float | None, limits: Limits) -> Iterator[str]:
    """A budget under one machine's hour would be spent before its first tile."""
    if usd is None:
        yield f"pool {pool.name}: no price is known of {pool.offer}, so that nobody could keep its budget"
        return
    for limit, name in ((limits.usd, "usd"), (limits.usd_per_day, "usd_per_day")):
        if limit is not None and limit < usd:
            yield f"pool {pool.name}: budget.{name} is {limit:.2f}, one hour of {pool.offer} costs {usd:.3f} USD"


def _never_fits(pool: Pool, limits: Limits) -> Iterator[str]:
    cap = limits.vcpus_by_region.get(pool.offer.region)
    if cap is not None and cap < pool.vcpus:
        yield f"pool {pool.name}: one machine has {pool.vcpus} vCPUs, limits.vcpus.{pool.offer.region} is {cap}"
