"""Drills in which a worker dies, stands still, or meets another one over the same tile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from consumer.exit_codes import ExitCode
from contract import artifact_names, ledger_events
from contract.outcomes import Cause
from contract.tile_id import parse_tile
from contract.tile_message import TileMessage
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.laws import Expected
from laptop_cloud.drills.play import Scene, finish
from laptop_cloud.drills.stage import LIMIT_SECONDS, Asked, Stage
from laptop_cloud.machines.fleet import Template
from laptop_cloud.storage_faults import Fate, StorageFaults

WRITES = {
    "put blob staging": 0,
    "update message tiles": 1,
    "put blob commits": 0,
    "copy blob published": 0,
    "put metadata commits": 0,
    "append blob ledger": 2,
    "delete message tiles": 0,
    "delete blob staging": 0,
}
"""What settling a tile writes, in its order, as the relay calls it, and how many requests of that kind a worker makes
before: the lease was renewed once when the tile began, and the ledger has lines of before."""
ONE_TILE = {"TILEFLEET_CONSUMER_MOST_TILES": "1"}
LONG_LEASE = {"TILEFLEET_CONSUMER_LEASE_SECONDS": "60"}
"""No delivery that is counted comes of a lease that ran out on a busy machine."""
OF_TILES = "commits|staging|published|dataset|checkpoints|second|poison|message(?!s)"
"""Requests that are about a tile, unlike heartbeats, polls and the ledger."""


def kill_at_every_write(scene: Scene) -> Cost:
    """A worker is killed at each write of the settle order, before it is done or before its answer arrives, as the
    lot falls. Whoever comes next repeats what is missing, and no more."""
    with scene.fleet(1, Template(environ=ONE_TILE, restart_seconds=0.1)) as stage:
        asked = stage.ask(18, infer_seconds=0.2)
        killed = []
        for kind, earlier in WRITES.items():
            fate = scene.chance.choice([Fate.STALLED_BEFORE, Fate.STALLED_AFTER])
            _kill_at(stage, asked, kind, earlier, fate)
            killed.append("after" if fate is Fate.STALLED_AFTER else "before")
        stage.remarks.append(f"{len(killed)} kills: {', '.join(killed)} the write")
        return finish(stage, asked, Expected(may_be_charged={Cause.SILENT_DEATH}))


def _kill_at(stage: Stage, asked: Asked, kind: str, earlier: int, fate: Fate) -> None:
    """Hold the next request of the kind fast, and kill who makes it; the VM starts another worker."""
    vm = stage.vms[0]

    def held_fast() -> int:
        return stage.relay.counts().get(kind, {}).get(fate, 0)

    before = held_fast()
    once = StorageFaults(only=f"^{kind}$", skip=earlier, most=1)
    if fate is Fate.STALLED_BEFORE:
        stage.relay.misbehave(replace(once, stalled_before_percent=100))
    else:
        stage.relay.misbehave(replace(once, stalled_after_percent=100))
    stage.wait_for(lambda: held_fast() > before, f"a request `{kind}`")
    stage.note_harm(asked, vm)
    vm.kill()
    stage.relay.behave()


def two_workers_one_tile(scene: Scene) -> Cost:
    """Every tile is asked three times over, so that two workers make it at the same time. One commits; the other one's
    work is dropped. A message of a finished tile costs three requests and no download."""
    with scene.fleet(2, Template(environ={**ONE_TILE, **LONG_LEASE})) as stage:
        asked = stage.ask(6, infer_seconds=0.6)
        messages = _messages(asked)
        scene.chance.shuffle(messages)
        for message in messages:
            for _ in range(2):
                stage.queues.urgent.send(message)
        stage.await_end(asked)
        stage.await_empty_queues()
        staging = artifact_names.staging_of(asked.job.dataset)  # cleared last of all
        stage.wait_for(lambda: not any(stage.store.names(staging)), "the staging to be cleared")
        stage.remarks.append(_price_of_finished_tiles(stage, messages))
        return finish(stage, asked)


def _messages(asked: Asked) -> list[str]:
    return [TileMessage(asked.job.id, asked.job.dataset, parse_tile(tile)).encode() for tile in asked.tiles]


def _price_of_finished_tiles(stage: Stage, messages: list[str]) -> str:
    """Deliver finished tiles again, and count what that makes workers ask of the storage."""
    before = stage.relay.counts()
    for message in messages:
        stage.queues.tiles.send(message)
    stage.await_empty_queues()
    now = stage.relay.counts()
    asked = {
        kind: more
        for kind in now
        if re.search(OF_TILES, kind) and (more := _total(now, kind) - _total(before, kind))
    }
    wanted = {"get blob commits": len(messages), "delete message tiles": len(messages)}
    if asked != wanted:
        law = "a finished tile that is delivered again costs a receive, a read and a delete"
        raise DrillFailed(law, f"{len(messages)} messages cost {asked}")
    return "a finished tile delivered again: 3 requests"


def _total(counts: Mapping[str, Mapping[str, int]], kind: str) -> int:
    return sum(counts.get(kind, {}).values())


def lease_pause(scene: Scene) -> Cost:
    """A machine stands still for longer than its leases, and goes on as if nothing had been. Its tiles are others' by
    then: it notices, and touches nothing of theirs."""
    with scene.fleet(2) as stage:
        asked = stage.ask(12, infer_seconds=0.8)
        stage.await_commits(asked, scene.chance.randint(0, 3))
        vm = stage.victim(asked)
        vm.freeze()
        held = {tile.tile for tile in stage.held(vm)}

        def is_taken_over() -> bool:
            received = stage.events(ledger_events.TILE_RECEIVED)
            return any(event["tile"] in held and event["vm"] != vm.name for event in received)

        seconds = stage.wait_for(
            lambda: is_taken_over() or stage.has_ended(asked), "another worker's attempt"
        )
        vm.thaw()
        stage.remarks.append(f"first of its tiles taken over after {seconds:.1f} s")
        return finish(stage, asked, Expected(may_be_charged={Cause.SILENT_DEATH}))


def checkpoint_resume(scene: Scene) -> Cost:
    """A machine is announced to go in the middle of a long tile. What it has inferred is stored, and another machine
    goes on from there."""
    with scene.fleet(2) as stage:
        asked = stage.ask(2, infer_seconds=12.0, blocks=50, block_bytes=scene.chance.randint(100, 50_000))
        vm = stage.victim(asked)
        share = scene.chance.uniform(0.1, 0.2)
        stage.wait_for(
            lambda: any(tile.progress >= share for tile in stage.held(vm, "infer")), f"{share:.0%} of a tile"
        )
        stage.note_harm(asked, vm)
        # Of the notice the worker leaves 5 s: too little for the rest of the tile, enough to store what there is.
        gone = stage.running.room.evict(vm.name, 10.0)
        stage.await_status(vm, ExitCode.EVICTED)
        cost = finish(stage, asked, figures=lambda: _resumed(stage, asked))
        gone.join(LIMIT_SECONDS)
        return cost


def _resumed(stage: Stage, asked: Asked) -> str:
    done = stage.events(ledger_events.DONE)
    blocks = [event["resumed_blocks"] for event in done if event["resumed_blocks"]]
    if not blocks:
        raise DrillFailed(
            "a notice leaves a checkpoint, and another worker goes on from it", "no tile resumed"
        )
    left = list(stage.store.names(artifact_names.checkpoints_of(asked.job.dataset)))
    if left:
        raise DrillFailed("checkpoints are deleted after the commit", f"{left} is still there")
    return f"resumed at block {blocks[0]} of 50"
