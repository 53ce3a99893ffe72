"""Drills in which the cloud takes machines away."""

from __future__ import annotations

from datetime import UTC, datetime

from consumer.exit_codes import ExitCode
from contract import ledger_events
from contract.outcomes import Cause
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.play import Scene, finish
from laptop_cloud.drills.stage import LIMIT_SECONDS, Stage
from laptop_cloud.machines.vm import LaptopVm

NOTICE_SECONDS = 5.5
"""Azure's is 30: so short that even tiles of a second are cut short."""
BACK_LIMIT_SECONDS = 60.0
"""On a machine that is busy with other things; alone it is a lease and some seconds, as the figures say."""


def eviction_with_notice(scene: Scene) -> Cost:
    """One machine of two is announced to go. Seconds later its tiles are in front of all others, uncharged."""
    with scene.fleet(2) as stage:
        asked = stage.ask(12, infer_seconds=0.8)
        stage.await_commits(asked, scene.chance.randint(0, 3))
        vm = stage.victim(asked, holding=2)
        stage.note_harm(asked, vm)
        told_at = datetime.now(UTC)
        gone = stage.running.room.evict(vm.name, NOTICE_SECONDS)
        stage.await_status(vm, ExitCode.EVICTED)
        cost = finish(
            stage,
            asked,
            figures=lambda: f"leases free {seconds_to_free(stage, vm, told_at):.1f} s after the notice",
        )
        gone.join(LIMIT_SECONDS)
        return cost


def eviction_without_notice(scene: Scene) -> Cost:
    """One machine of two is gone without a word. Its leases run out, and its tiles are not blamed for that."""
    with scene.fleet(2) as stage:
        asked = stage.ask(12, infer_seconds=0.8)
        stage.await_commits(asked, scene.chance.randint(0, 3))
        vm = stage.victim(asked)
        stage.note_harm(asked, vm)
        stage.running.room.evict(vm.name, None).join(LIMIT_SECONDS)
        gone_at = datetime.now(UTC)
        stage.say_evicted(vm)

        def figures() -> str:
            seconds = seconds_until_tried_again(stage, vm, gone_at)
            if seconds > BACK_LIMIT_SECONDS:
                raise DrillFailed("tiles of a machine that vanished come back", f"after {seconds:.0f} s")
            return f"its last tile was tried again {seconds:.1f} s later"

        return finish(stage, asked, figures=figures)


def all_evicted(scene: Scene) -> Cost:
    """Every machine is taken at once, announced or not, as the lot falls; those that come back go on from there."""
    with scene.fleet(3) as stage:
        asked = stage.ask(18)
        stage.await_commits(asked, scene.chance.randint(0, 6))
        stage.victim(asked)
        stage.note_harm(asked, *stage.vms)
        notice_seconds = scene.chance.choice([None, NOTICE_SECONDS])
        threads = [stage.running.room.evict(vm.name, notice_seconds) for vm in stage.vms]
        for vm, thread in zip(stage.vms, threads, strict=True):
            thread.join(LIMIT_SECONDS)
            stage.say_evicted(vm)
        for vm in stage.vms:
            vm.start()
        stage.remarks.append("without notice" if notice_seconds is None else "with notice")
        return finish(stage, asked)


def seconds_to_free(stage: Stage, vm: LaptopVm, told_at: datetime) -> float:
    """From the cloud's word until the VM's worker had handed back the last tile that it did not finish; 0: none."""
    freed = [
        event["time"]
        for event in stage.events(ledger_events.RETURNED)
        if event["vm"] == vm.name and event["cause"] == Cause.EVICTED
    ]
    return _seconds_between(told_at, freed[-1]) if freed else 0.0


def seconds_until_tried_again(stage: Stage, vm: LaptopVm, gone_at: datetime) -> float:
    """Until the last of the tiles that the VM held was received by somebody else; 0 when it held none."""
    events = stage.events()
    ended = {event["attempt"] for event in events if "cause" in event or event["name"] == ledger_events.DONE}
    received = [event for event in events if event["name"] == ledger_events.TILE_RECEIVED]
    orphans = {
        event["tile"] for event in received if event["vm"] == vm.name and event["attempt"] not in ended
    }
    again = [
        event["time"]
        for event in received
        if event["tile"] in orphans and event["vm"] != vm.name and event["time"] > gone_at.isoformat()
    ]
    return _seconds_between(gone_at, max(again)) if again else 0.0


def _seconds_between(moment: datetime, later: str) -> float:
    return (datetime.fromisoformat(later) - moment).total_seconds()
