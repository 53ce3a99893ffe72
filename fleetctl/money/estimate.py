"""Will it be done by then, for that much? Yes, no or tight; if not yes, the cheapest change that makes it so. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from contract.errors import BadInput
from fleetctl.cloud.sizes import vcpus_of
from fleetctl.controller.policy import Offer, Priority
from fleetctl.money.forecast import Forecast, PoolPlan, World, forecast
from fleetctl.money.knowledge import Knowledge

SEED = 20260101
MOST_VMS = 1000
"""Of one pool in a fleet file."""
MOST_MORE_REGIONS = 7
LIKELY, SURE = 50, 90
"""Percentiles: tight means that half of the worlds keep to it, yes that nine of ten do."""
MARGIN = 1.02
"""A budget or a date that is proposed has this much over its p90."""


class Verdict(StrEnum):
    """The answer."""

    YES = "yes"
    TIGHT = "tight"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    tiles: int
    hours: float | None
    """Until it must be done; None: whenever."""
    usd: float | None
    """None: whatever it costs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One fleet, tried against a wish."""

    wish: Wish
    pools: tuple[PoolPlan, ...]
    home: str
    """The storage's region."""
    forecast: Forecast
    verdict: Verdict

    def hours(self, percent: int) -> float:
        return float(np.percentile(self.forecast.hours, percent))

    def usd(self, percent: int) -> float:
        return float(np.percentile(self.forecast.usd, percent))

    @property
    def size(self) -> str:
        return self.pools[0].offer.size

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(pool.offer.region for pool in self.pools)


@dataclass(frozen=True, slots=True)
class Change:
    """What would make it a yes."""

    words: str
    answer: Answer
    """With the changed wish or fleet; its verdict is yes."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be chosen from."""

    regions: tuple[str, ...]
    sizes: tuple[str, ...]
    more_regions: tuple[str, ...] = ()
    """That may be added, in this order."""
    home: str = ""
    """The storage's region; empty: the first."""


def answer(wish: Wish, choices: Choices, known: Knowledge, world: World) -> Answer:
    """The best fleet of one size in all of the regions: a yes before a tight one, then the cheaper one; of those
    that cannot the one that misses least. BadInput when nothing is known of any."""
    tried = [
        _try(wish, choices.regions, size, choices, known, world)
        for size in choices.sizes
        if _pools(choices.regions, size, known, wish.tiles)
    ]
    if not tried:
        raise BadInput("of none of these sizes both price and speed are known: calibrate one, or name others")
    return min(tried, key=_rank)


def cheapest_change(best: Answer, choices: Choices, known: Knowledge, world: World) -> Change | None:
    """Of all changes of one kind that make it a yes the one with the smallest p90; None when it is one already."""
    if best.verdict is Verdict.YES:
        return None
    changes = [
        change for change in _changes(best, choices, known, world) if change.answer.verdict is Verdict.YES
    ]
    return min(changes, key=lambda change: change.answer.usd(SURE), default=None)


def judge(wish: Wish, made: Forecast) -> Verdict:
    """Nine of ten worlds: yes. Half of them: tight."""
    keeps = np.ones_like(made.hours, dtype=bool)
    if wish.hours is not None:
        keeps &= made.hours <= wish.hours
    if wish.usd is not None:
        keeps &= made.usd <= wish.usd
    percent = 100 * float(keeps.mean())
    return Verdict.YES if percent >= SURE else Verdict.TIGHT if percent >= LIKELY else Verdict.NO


def _rank(tried: Answer) -> tuple[int, float]:
    wish, rank = tried.wish, list(Verdict).index(tried.verdict)
    if tried.verdict is not Verdict.NO:
        return rank, tried.usd(LIKELY)
    late = tried.hours(LIKELY) / wish.hours if wish.hours else 0.0
    dear = tried.usd(LIKELY) / wish.usd if wish.usd else 0.0
    return rank, max(late, dear)


def _try(
    wish: Wish, regions: Sequence[str], size: str, choices: Choices, known: Knowledge, world: World
) -> Answer:
    pools = _pools(regions, size, known, wish.tiles)
    home = choices.home or choices.regions[0]
    made = forecast(wish.tiles, pools, known, world, home=home, seed=SEED)
    return Answer(wish, pools, home, made, judge(wish, made))


def _pools(regions: Sequence[str], size: str, known: Knowledge, tiles: int) -> tuple[PoolPlan, ...]:
    """As many as the quota allows where price and speed are known, and no more than there are tiles."""
    offers = [Offer(region, size, Priority.SPOT) for region in regions]
    most = min(MOST_VMS, tiles)
    vms = [min(most, int(known.spot_vcpus(offer.region).value) // vcpus_of(size)) for offer in offers]
    return tuple(
        PoolPlan(offer, count)
        for offer, count in zip(offers, vms, strict=True)
        if count and known.tile_seconds(offer) and offer in known.prices
    )


def _changes(best: Answer, choices: Choices, known: Knowledge, world: World) -> Iterator[Change]:
    """Money, time, another size, more regions: each with the money and time that it needs, too, where it must be."""
    for size in choices.sizes:
        for count in range(MOST_MORE_REGIONS + 1):
            added = choices.more_regions[:count]
            regions = (*choices.regions, *added)
            if len(added) < count or not _pools(regions, size, known, best.wish.tiles):
                break
            tried = _try(best.wish, regions, size, choices, known, world)
            fleet = _fleet_words(best, tried, added)
            if fleet:
                yield Change(fleet, tried)
            yield from _relaxed(tried, fleet)


def _relaxed(tried: Answer, fleet: str) -> Iterator[Change]:
    """The same fleet with a larger budget, or a later date, or both where one is not enough."""
    for is_usd_free, is_time_free in ((True, False), (False, True), (True, True)):
        wish = _enough(tried, is_usd_free=is_usd_free, is_time_free=is_time_free)
        if wish is None or wish == tried.wish:
            continue
        words = [fleet] if fleet else []
        if wish.usd is not None and wish.usd != tried.wish.usd:
            words.append(f"a budget of {wish.usd:,.0f} USD")
        if wish.hours is not None and wish.hours != tried.wish.hours:
            words.append(f"{wish.hours:,.0f} hours of time")
        yield Change(" and ".join(words), replace(tried, wish=wish, verdict=Verdict.YES))


def _enough(tried: Answer, *, is_usd_free: bool, is_time_free: bool) -> Wish | None:
    """The least of money, time or both that this fleet keeps to in nine of ten worlds: worlds that are dear need not
    be those that are slow, so both together may need more than each alone. None where what is not free forbids it."""
    asked = tried.wish
    for percent in range(SURE, 101):
        usd, hours = asked.usd, asked.hours
        if usd is not None and is_usd_free:
            usd = max(usd, _rounded_up(tried.usd(percent) * MARGIN))
        if hours is not None and is_time_free:
            hours = max(hours, tried.hours(percent) * MARGIN)
        wish = replace(asked, usd=usd, hours=hours)
        if judge(wish, tried.forecast) is Verdict.YES:
            return wish
    return None


def _fleet_words(best: Answer, tried: Answer, added: Sequence[str]) -> str:
    words = [f"{tried.size} instead of {best.size}"] if tried.size != best.size else []
    if added:
        words.append(f"machines in {', '.join(added)} as well")
    return " and ".join(words)


def _rounded_up(usd: float) -> float:
    return float(np.ceil(usd / 5) * 5) if usd > 50 else float(np.ceil(usd))
