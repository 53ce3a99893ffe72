"""How often the interface may be asked: Azure's token buckets, per machine, per subscription, and at the front door."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from laptop_cloud.resource_manager.cloud_clock import CloudClock, written
from laptop_cloud.resource_manager.problems import Problem

TOO_MANY = 429
MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """A bucket's size and what comes back into it."""

    capacity: int
    refill: int
    period_seconds: float = MINUTE_SECONDS


class Group(StrEnum):
    """Requests to Microsoft.Compute that share an allowance."""

    PUT = "PutVM"
    UPDATE = "UpdateVM"
    DELETE = "DeleteVM"
    GET = "LowCostGet"
    LIST = "HighCostGet"
    POLL = "GetOperation"


PER_MACHINE: Mapping[Group, Allowance] = {
    Group.PUT: Allowance(12, 4),
    Group.UPDATE: Allowance(12, 4),
    Group.DELETE: Allowance(12, 4),
    Group.GET: Allowance(36, 12),
    Group.POLL: Allowance(45, 15),
}
PER_SUBSCRIPTION: Mapping[Group, Allowance] = {
    Group.PUT: Allowance(1500, 500),
    Group.UPDATE: Allowance(1500, 500),
    Group.DELETE: Allowance(1500, 500),
    Group.GET: Allowance(24_000, 8000),
    Group.LIST: Allowance(900, 300),
    Group.POLL: Allowance(15_000, 5000),
}
FRONT_DOOR: Mapping[str, Allowance] = {
    "reads": Allowance(250, 25, period_seconds=1),
    "writes": Allowance(200, 10, period_seconds=1),
    "deletes": Allowance(200, 10, period_seconds=1),
}


@dataclass(slots=True)
class Bucket:
    """Tokens that come back by whole periods."""

    allowance: Allowance
    tokens: int
    filled: float
    """When a period last ended."""

    def level(self, now: float) -> int:
        """Tokens in it."""
        periods = math.floor((now - self.filled) / self.allowance.period_seconds)
        if periods > 0:
            self.tokens = min(self.allowance.capacity, self.tokens + periods * self.allowance.refill)
            self.filled += periods * self.allowance.period_seconds
        return self.tokens

    def seconds_until_next(self, now: float) -> float:
        """Until tokens come back."""
        return self.filled + self.allowance.period_seconds - now


class Throttle:
    """All buckets of one subscription. Not for several threads."""

    def __init__(self, clock: CloudClock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._closed_until = 0.0

    def close(self, seconds: float) -> None:
        """Refuse everything for so many seconds of the cloud."""
        self._closed_until = self._clock.now() + seconds

    def admit(self, door: str, region: str, group: Group | None, machine: str) -> list[tuple[str, str]]:
        """Take a token of every bucket that this request counts towards; the headers that say what is left.

        A Problem, and no token taken, when one of them is empty.
        """
        now = self._clock.now()
        if now < self._closed_until:
            raise self._refuse(group or Group.GET, self._closed_until - now, PER_SUBSCRIPTION[Group.LIST])
        front = self._bucket(f"front {door}", region, FRONT_DOOR[door])
        if not front.level(now):
            raise self._refuse_at_front_door(door, front.seconds_until_next(now))
        inner = list(self._inner(group, region, machine)) if group else []
        for _, bucket in inner:
            if not bucket.level(now) and group:
                raise self._refuse(group, bucket.seconds_until_next(now), bucket.allowance)
        for bucket in (front, *(bucket for _, bucket in inner)):
            bucket.tokens -= 1
        return [
            (f"x-ms-ratelimit-remaining-subscription-{door}", str(front.tokens)),
            *(
                ("x-ms-ratelimit-remaining-resource", f"Microsoft.Compute/{name};{b.tokens}")
                for name, b in inner
            ),
        ]

    def _inner(self, group: Group, region: str, machine: str) -> Iterator[tuple[str, Bucket]]:
        name = f"{group}SubscriptionMaximum"
        yield name, self._bucket(name, region, PER_SUBSCRIPTION[group])
        if machine and group in PER_MACHINE:
            name = f"{group}Resource"
            yield name, self._bucket(name, machine, PER_MACHINE[group])

    def _bucket(self, name: str, owner: str, allowance: Allowance) -> Bucket:
        try:
            return self._buckets[name, owner]
        except KeyError:
            bucket = Bucket(allowance, allowance.capacity, self._clock.now())
            self._buckets[name, owner] = bucket
            return bucket

    def _refuse(self, group: Group, seconds: float, allowance: Allowance) -> Problem:
        now = self._clock.now()
        window = {
            "operationGroup": str(group),
            "startTime": written(now),
            "endTime": written(now + seconds),
            "allowedRequestCount": allowance.capacity,
            "measuredRequestCount": allowance.capacity + 1,
        }
        text = "The server rejected the request because too many requests have been received for this subscription."
        # Azure's own shape: no `error` around it, and the code that a quota has, too.
        body = {
            "code": "OperationNotAllowed",
            "message": text,
            "details": [
                {
                    "code": "TooManyRequests",
                    "target": str(group),
                    "message": json.dumps(window, separators=(",", ":")),
                }
            ],
        }
        wait = self._clock.client_seconds(seconds)
        return Problem(TOO_MANY, "OperationNotAllowed", text, body=body, wait=wait)

    def _refuse_at_front_door(self, door: str, seconds: float) -> Problem:
        return Problem(
            TOO_MANY,
            "SubscriptionRequestsThrottled",
            f"Number of {door} for the subscription exceeded the limit. Please try again later.",
            wait=self._clock.client_seconds(seconds),
        )
