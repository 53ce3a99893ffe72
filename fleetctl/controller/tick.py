"""One tick, one screen: look, decide, remember, act. Killing it at any line and starting another converges."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.controller.act import Hands
from fleetctl.controller.actions import CLOUD_VERBS, DECIDED_ONCE, Action
from fleetctl.controller.decide import decide
from fleetctl.controller.learn import learn
from fleetctl.controller.machine import pool_of
from fleetctl.controller.memory import Memory
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.observe import Eyes
from fleetctl.controller.pace import Buckets, after_answers, paced, throttled
from fleetctl.controller.policy import Offer, Policy
from fleetctl.controller.snapshot import Snapshot

PUT_OFF = Refused(Refusal.TROUBLE, "", "put off")
UNKNOWN = Refused(Refusal.TROUBLE, "", "it is not known whether this was called")


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one tick came to."""

    seen: Snapshot
    memory: Memory
    tried: tuple[Action, ...]
    """Everything that was called, the refused ones too."""
    put_off: tuple[Action, ...]
    refused: tuple[tuple[Action, str], ...]
    seconds: float

    @property
    def done(self) -> tuple[Action, ...]:
        """What was called and not refused."""
        refused = {action for action, _ in self.refused}
        return tuple(action for action in self.tried if action not in refused)


@dataclass
class Controller:
    """Ticks, from a memory that is loaded once and written before every act."""

    eyes: Eyes
    hands: Hands
    store: MemoryStore
    policy: Callable[[], Policy]
    """Asked once in every tick: a budget that was raised counts at the next one."""
    memory: Memory = field(default_factory=Memory)
    buckets: Buckets = field(default_factory=lambda: Buckets(time.time()))

    def begin(self) -> None:
        """Go on from where the last controller was. What it was about to do may be done or not: calls of the cloud
        are forgotten, so that they are decided anew; the others are repeated, and doing one twice is doing it once."""
        loaded, policy = self.store.load(), self.policy()
        self.memory = replace(loaded, in_doubt=())
        for action in loaded.in_doubt:
            if action.verb in CLOUD_VERBS:
                self.memory = learn(self.memory, action, _offer(policy, None, action), UNKNOWN, 0.0)
        refused = self.hands.carry_out(action for action in loaded.in_doubt if action.verb not in CLOUD_VERBS)
        self.memory = replace(self.memory, in_doubt=_still_to_do(refused))

    def end(self) -> None:
        """Leave what the last calls taught to whoever comes after us."""
        self.store.save(self.memory, stop_after=self.policy().stop_after)

    def tick(self) -> Ticked:
        """Look, decide, remember, act."""
        began, policy = time.monotonic(), self.policy()
        seen = self.eyes.look()
        decision = decide(seen, self.memory, policy)
        actions = (*self.memory.in_doubt, *decision.actions)
        now = paced(actions, after_answers(self.buckets, self.eyes.machines.rate_left), seen.now)
        self.buckets = now.buckets
        self.memory = decision.memory
        for action in now.later:  # not called, so not to be waited for
            self.memory = learn(self.memory, action, None, PUT_OFF, seen.now)
        in_doubt = replace(self.memory, in_doubt=now.now)
        self.store.save(in_doubt, stop_after=policy.stop_after)  # before the first call
        refused = self.hands.carry_out(now.now, lambda action: _offer(policy, seen, action))
        for action, refusal in refused:
            self.memory = learn(self.memory, action, _offer(policy, seen, action), refusal, seen.now)
            if refusal.kind is Refusal.THROTTLED:
                self.buckets = throttled(self.buckets, seen.now, refusal.retry_after_seconds)
        self.memory = replace(self.memory, in_doubt=_still_to_do(refused))
        return Ticked(
            seen,
            self.memory,
            now.now,
            now.later,
            tuple((action, str(refusal)) for action, refusal in refused),
            time.monotonic() - began,
        )


def _offer(policy: Policy, seen: Snapshot | None, action: Action) -> Offer | None:
    """Of the machine that an action names, by the listing or by its name's pool."""
    if seen and seen.vms and action.target in seen.vms:
        return seen.vms[action.target].offer
    pool = policy.pool(pool_of(action.target, policy.fleet))
    return pool.offer if pool else None


def _still_to_do(refused: Iterable[tuple[Action, Refused]]) -> tuple[Action, ...]:
    """What nothing decides anew, for the next tick or for whoever comes after us."""
    return tuple(
        action
        for action, refusal in refused
        if action.verb in DECIDED_ONCE and refusal.kind is Refusal.TROUBLE
    )
