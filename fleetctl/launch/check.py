"""Is a fleet file worth starting with? Everything that would be refused later, found before anything is made. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fleetctl.cloud.skus import SizeSeen, why_not_offered
from fleetctl.controller.policy import Limits, Offer, Policy, Pool

Place = Callable[[str], str]
"""Where in the file a key such as `pools.0.size` stands, for a person."""


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """A pool as far as its price goes."""

    number: int
    """From 0, as it stands in the file."""
    name: str
    offer: Offer


def why_not_up(
    policy: Policy,
    sizes: Mapping[str, Mapping[str, SizeSeen]],
    usd_per_hour: Mapping[Offer, float],
    place: Place,
    now: float,
) -> list[str]:
    """Every problem, one sentence each with its place; none: it may start.

    `sizes`: by region, then by size in lower case; a region that it lacks was not asked. `now`: epoch seconds.
    """
    problems = [*_never_together(policy, place), *_over(policy, place, now)]
    for number, pool in enumerate(policy.pools):
        of_region = sizes.get(pool.offer.region)
        if of_region is not None and (why := why_not_offered(of_region, pool.offer)):
            problems.append(f"{place(f'pools.{number}.size')}: pool {pool.name}: {why}")
        problems += _never_fits(pool, policy.limits, place)
    pools = (PoolSeen(number, pool.name, pool.offer) for number, pool in enumerate(policy.pools))
    return problems + why_too_dear(pools, policy.limits, usd_per_hour, place)


def why_too_dear(
    pools: Iterable[PoolSeen], limits: Limits, usd_per_hour: Mapping[Offer, float], place: Place
) -> list[str]:
    """A budget under one machine's hour would be spent before its first tile."""
    return [
        problem for pool in pools for problem in _too_dear(pool, usd_per_hour.get(pool.offer), limits, place)
    ]


def _too_dear(pool: PoolSeen, usd: float | None, limits: Limits, place: Place) -> Iterator[str]:
    if usd is None:
        yield (
            f"{place(f'pools.{pool.number}.size')}: pool {pool.name}: no price is known of {pool.offer}, so that "
            "nobody could keep its budget"
        )
        return
    for limit, name in ((limits.usd, "usd"), (limits.usd_per_day, "usd_per_day")):
        if limit is not None and limit < usd:
            yield (
                f"{place(f'budget.{name}')}: budget.{name} is {limit:g}, one hour of {pool.offer} in pool "
                f"{pool.name} costs {usd:.3f} USD"
            )


def _never_fits(pool: Pool, limits: Limits, place: Place) -> Iterator[str]:
    region = pool.offer.region
    cap = limits.vcpus_by_region.get(region)
    if cap is not None and cap < pool.vcpus:
        yield (
            f"{place(f'limits.vcpus.{region}')}: limits.vcpus.{region} is {cap}, one machine of pool {pool.name} has "
            f"{pool.vcpus} vCPUs"
        )


def _never_together(policy: Policy, place: Place) -> Iterator[str]:
    least = sum(pool.min_vms for pool in policy.pools)
    if least > policy.limits.vms:
        yield f"{place('limits.vms')}: limits.vms is {policy.limits.vms}, the pools' min are {least} together"
    for region in sorted(set(policy.limits.vcpus_by_region) - {pool.offer.region for pool in policy.pools}):
        yield f"{place(f'limits.vcpus.{region}')}: limits.vcpus.{region} limits nothing: no pool is in {region}"


def _over(policy: Policy, place: Place, now: float) -> Iterator[str]:
    if policy.stop_after is not None and policy.stop_after <= now:
        passed = datetime.fromtimestamp(policy.stop_after, UTC).isoformat()
        yield f"{place('budget.stop_after')}: budget.stop_after is over: {passed}"
