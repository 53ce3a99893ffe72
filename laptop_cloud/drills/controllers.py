"""Drills of the controller: what it does when the cloud has no room, when a machine stays bad, and when it dies itself.

Real programs over the laptop's Resource Manager, whose clock is fast; the controller's waiting times are shorter
by as much.
"""

from __future__ import annotations

from contract.outcomes import Cause
from fleetctl.controller.memory import Intent
from laptop_cloud.drills.controlled import (
    DEALLOCATED,
    SPEED,
    Controlled,
    finish_controlled,
    playing_controlled,
)
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.evictions import NOTICE_SECONDS
from laptop_cloud.drills.failure import DrillFailed, Interrupted
from laptop_cloud.drills.laws import Expected
from laptop_cloud.drills.play import Scene
from laptop_cloud.drills.stage import Stage
from laptop_cloud.drills.unfit import MOST_TOUCHED
from laptop_cloud.machines.vm import LaptopVm

REFUSED_SECONDS = 600.0
"""Of the cloud."""
MOST_REFUSED = 12
"""Five probes, two minutes of the cloud apart, and those that asked before the eviction showed as one of many."""
KILLS = 3
EVICTION_TURN = 1
MOST_SECONDS_ALIVE = 4.0
BOOTS_OF_ONE_UNFIT = 3
"""The first one and two rehosts, which is the limit."""
KEPT_BACK_TILES = 12
KEPT_BACK_SECONDS = 3600
DEAD_MAN_SECONDS = 6.0
"""A quarter of an hour, by default."""


def fleet_refused(scene: Scene) -> Cost:
    """The whole fleet of ten is evicted at once, and for ten minutes there is no room for anybody. The controller asks
    now and then with one machine; when one gets through all come back, and the work goes on."""
    with playing_controlled(scene, 10) as played:
        stage = played.stage
        played.start_watch()
        asked = stage.ask(24, infer_seconds=0.5)
        played.await_running(10)
        stage.await_commits(asked, scene.chance.randint(1, 3))
        stage.note_harm(asked, *stage.running.room.vms.values())
        played.orders.refuse(region="", size="", seconds=REFUSED_SECONDS, later=False, regular=False)
        notice_seconds = scene.chance.choice([None, NOTICE_SECONDS])
        for name in played.orders.at_risk():
            played.evict(name, notice_seconds)
        stage.wait_for(lambda: played.count(DEALLOCATED) == len(played.machines()), "all to be gone")
        stage.wait_for(lambda: _has_room(played), "room")
        refused = played.refused_calls()
        seconds = played.await_running(1)
        told = "without" if notice_seconds is None else "with"
        stage.remarks.append(
            f"{told} notice; {refused} calls refused; a machine runs {seconds:.1f} s ({seconds * SPEED / 60:.1f} "
            "simulated min) after there is room"
        )
        if refused > MOST_REFUSED:
            raise DrillFailed(
                "one machine asks for all whether there is room", f"{refused} calls were refused"
            )
        return finish_controlled(played, asked)


def _has_room(played: Controlled) -> bool:
    compute = played.made.manager.compute
    machine = played.machines()[0]
    short = compute.capacity.shortage(machine.location, machine.size, is_spot=True, now=compute.clock.now())
    return short is None


def controller_killed(scene: Scene) -> Cost:
    """The controller is killed at random moments, in the middle of creating machines, restarting one and letting them
    go. Whoever comes next goes on from its record: no machine is made twice, none is forgotten."""
    with playing_controlled(scene, 3) as played:
        stage = played.stage
        played.start_watch()
        asked = stage.ask(18, infer_seconds=0.8)
        for turn in range(KILLS):
            if turn == EVICTION_TURN:
                stage.wait_for(
                    lambda: bool(played.orders.at_risk()) or stage.has_ended(asked), "a machine to evict"
                )
            _wait_at_random(scene, stage)
            played.kill_watch()
            if turn == EVICTION_TURN and (names := played.orders.at_risk()):
                played.evict(scene.chance.choice(sorted(names)), None)
            played.let_lease_run_out()
            played.start_watch()
        stage.await_end(asked)
        _wait_at_random(scene, stage)
        played.kill_watch()
        played.let_lease_run_out()
        played.start_watch()
        stage.remarks.append(f"{KILLS + 1} kills")
        return finish_controlled(played, asked)


def _wait_at_random(scene: Scene, stage: Stage) -> None:
    """Not for anything: the moment is drawn by lot."""
    if stage.stop.wait(scene.chance.uniform(0.0, MOST_SECONDS_ALIVE)):
        raise Interrupted("interrupted")


def controller_gone(scene: Scene) -> Cost:
    """The controller dies in the middle of the work, and nobody starts another one. Workers finish every tile without
    it; then each machine, idle and without a controller, deallocates itself."""
    environ = {"TILEFLEET_CONSUMER_DEAD_MAN_SECONDS": str(DEAD_MAN_SECONDS)}
    with playing_controlled(scene, 3, worker_environ=environ) as played:
        stage = played.stage
        played.start_watch()
        asked = stage.ask(18, infer_seconds=0.6)
        stage.await_commits(asked, scene.chance.randint(1, 4))
        played.kill_watch()

        def all_let_go() -> None:
            seconds = stage.wait_for(
                lambda: played.count(DEALLOCATED) == len(played.machines()),
                "machines to deallocate themselves",
            )
            stage.remarks.append(f"the last machine let itself go {seconds:.1f} s after the last tile")

        return finish_controlled(played, asked, converged=all_let_go)


def unfit_stays_unfit(scene: Scene) -> Cost:
    """One machine of three is as sick as before after every move to other hardware. After two moves it is set aside for
    a person to look at, and costs nothing; the others do its work."""
    with playing_controlled(scene, 3, has_gpu=True) as played:
        stage = played.stage
        played.start_watch()
        asked = stage.ask(24, infer_seconds=2.0)
        # Tiles wait, and the machine is wanted, until it is given up, however long its moves take.
        kept_back = stage.queues.tiles.receive(KEPT_BACK_TILES, KEPT_BACK_SECONDS)
        vm = played.worker(asked)
        _keep_sick(played, vm)
        for held in kept_back:
            stage.queues.tiles.renew(held, 0)
        stage.remarks.append(f"set aside after {BOOTS_OF_ONE_UNFIT - 1} moves")
        expected = Expected(may_be_charged={Cause.WORKER}, most_charged=MOST_TOUCHED * BOOTS_OF_ONE_UNFIT)
        return finish_controlled(
            played,
            asked,
            expected,
            converged=lambda: played.await_converged({vm.name: Intent.QUARANTINE}),
        )


def _keep_sick(played: Controlled, vm: LaptopVm) -> None:
    """Until the controller has given it up. DrillFailed when that took more or fewer boots than its limit."""
    sick = 0

    def is_given_up() -> bool:
        nonlocal sick
        if vm.boot is not None and vm.boot.number > sick:
            sick = vm.boot.number
            vm.sicken()
        return played.intents().get(vm.name) is Intent.QUARANTINE

    played.stage.wait_for(is_given_up, f"{vm.name} to be set aside")
    if sick != BOOTS_OF_ONE_UNFIT:
        raise DrillFailed("a machine that stays unfit is set aside after two moves", f"after {sick} boots")
