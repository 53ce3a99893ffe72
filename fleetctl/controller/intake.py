"""Keeps the pause of intake said while it lasts, with one running machine per region as its probe."""

from __future__ import annotations

import time
from collections.abc import Callable

from contract.blob_store import BlobStore
from contract.intake import SAY_AGAIN_SECONDS, IntakePause, pause_intake, resume_intake
from fleetctl.controller.memory import Intent, Memory
from fleetctl.controller.snapshot import Power, Snapshot


def choose_probes(seen: Snapshot, memory: Memory) -> frozenset[str]:
    """The first running machine of each region, by name: those that the rules keep through an outage."""
    probes: dict[str, str] = {}
    for name, vm in sorted((seen.vms or {}).items()):
        record = memory.vms.get(name)
        if vm.power is Power.RUNNING and record is not None and record.intent is Intent.RUN:
            probes.setdefault(vm.offer.region, name)
    return frozenset(probes.values())


class IntakeKeeper:
    """Says what the memory means, whatever a killed controller said before: the blob follows the memory."""

    def __init__(self, store: BlobStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._said: IntakePause | None = None
        self._said_at = float("-inf")
        self._reason = "the imagery's source fails"
        self._is_known = False
        """Whether this process has said anything yet: what stands may be another one's."""

    def pause(self, reason: str) -> None:
        """Nobody takes tiles, from now on. `keep` names the probes."""
        self._reason = reason
        self._say(IntakePause(reason))

    def resume(self) -> None:
        resume_intake(self._store)
        self._said, self._is_known = None, True

    def keep(self, seen: Snapshot, memory: Memory) -> None:
        """After each tick: say a pause again in time and with the probes of now, or that there is none."""
        if memory.outage_since is None:
            if self._said is not None or not self._is_known:
                self.resume()
            return
        if seen.vms is None:
            return  # who could probe is not known: what was said stands
        pause = IntakePause(self._reason, choose_probes(seen, memory))
        if pause != self._said or self._clock() - self._said_at >= SAY_AGAIN_SECONDS:
            self._say(pause)

    def _say(self, pause: IntakePause) -> None:
        pause_intake(self._store, pause)
        self._said, self._said_at, self._is_known = pause, self._clock(), True
