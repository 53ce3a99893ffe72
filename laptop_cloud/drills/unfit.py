"""Drills in which a machine is not fit to work: its GPU, its disk, its clock."""

from __future__ import annotations

from consumer.exit_codes import ExitCode
from contract.heartbeat import WorkerState, read_heartbeats
from contract.outcomes import Cause
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import CannotPlay, DrillFailed
from laptop_cloud.drills.laws import Expected
from laptop_cloud.drills.play import Scene, finish
from laptop_cloud.drills.stage import Stage
from laptop_cloud.drills.toy_tiles import one_struck, region
from laptop_cloud.machines.fleet import Template
from laptop_cloud.machines.temporary_disk import CannotFill
from laptop_cloud.machines.vm import LaptopVm
from laptop_cloud.storage_faults import StorageFaults

MOST_TOUCHED = 2
REPORT_LIMIT_SECONDS = 60.0
UNFIT = f"ended ({ExitCode.UNFIT.value})"


def bad_gpu(scene: Scene) -> Cost:
    """The GPU of one machine of two breaks in the middle of a tile. The machine says so and takes nothing more, before
    it has touched a third tile; on another host it works again."""
    with scene.fleet(2, Template(has_gpu=True)) as stage:
        asked = stage.ask(12, infer_seconds=0.8)
        stage.await_commits(asked, scene.chance.randint(0, 3))
        vm = stage.victim(asked)
        stage.note_harm(asked, vm)
        vm.sicken()
        _await_report(stage, vm)
        stage.rehost(vm)
        return finish(stage, asked, Expected(may_be_charged={Cause.WORKER}, most_charged=MOST_TOUCHED))


def full_disk(scene: Scene) -> Cost:
    """The temporary disk of one machine of two is full from one moment to the next. It says so, hands back what it has
    and leaves; with an empty disk it works again."""
    with scene.fleet(2) as stage:
        asked = stage.ask(12, infer_seconds=0.8)
        stage.await_commits(asked, scene.chance.randint(0, 3))
        vm = stage.victim(asked)
        stage.note_harm(asked, vm)
        try:
            vm.fill()
        except CannotFill as error:
            raise CannotPlay(str(error)) from error
        _await_report(stage, vm)
        stage.rehost(vm)
        return finish(stage, asked, Expected(may_be_charged={Cause.WORKER}, most_charged=MOST_TOUCHED))


def clock_jump(scene: Scene) -> Cost:
    """The storage's clock and that of all machines part, first by less than a minute, which changes nothing, then by an
    hour, with which no machine works on. They work again when the clocks agree."""
    with scene.fleet(2) as stage:
        asked = stage.ask(18, infer_seconds=0.5)
        stage.await_commits(asked, scene.chance.randint(1, 3))
        stage.relay.misbehave(StorageFaults(clock_shift_seconds=scene.chance.uniform(-45, 45)))
        stage.await_commits(asked, stage.committed(asked) + 3)
        stage.note_harm(asked, *stage.vms)
        stage.relay.misbehave(StorageFaults(clock_shift_seconds=scene.chance.choice([-3600.0, 3600.0])))
        for vm in stage.vms:
            _await_report(stage, vm)
        stage.relay.behave()
        for vm in stage.vms:
            stage.rehost(vm)
        return finish(
            stage, asked, Expected(may_be_charged={Cause.WORKER}, most_charged=MOST_TOUCHED * len(stage.vms))
        )


def harms_workers(scene: Scene) -> Cost:
    """One tile makes the GPU of every worker that infers it look broken. With the third worker the tile is the suspect
    and is given up; the machines are sound, and do the others."""
    with scene.fleet(3) as stage:
        _, names = region(6)
        struck, share = one_struck(scene.seed, names)
        asked = stage.ask(6, infer_seconds=0.4, fault="worker", fault_share=share, seed=scene.seed)

        def is_over() -> bool:
            for vm in stage.vms:
                if vm.consumer_says == UNFIT:
                    stage.rehost(vm)
            return stage.has_ended(asked)

        stage.wait_for(is_over, f"the end of {asked.job.id}", tile=struck)
        return finish(stage, asked, Expected(given_up={struck: Cause.WORKER}))


def _await_report(stage: Stage, vm: LaptopVm) -> None:
    """Until the VM's worker has said that it is unfit, and is gone."""
    seconds = stage.await_status(vm, ExitCode.UNFIT)
    states = [
        seen.heartbeat.state for seen in read_heartbeats(stage.store).seen if seen.heartbeat.vm == vm.name
    ]
    if states != [WorkerState.UNFIT]:
        raise DrillFailed("an unfit worker reports it", f"{vm.name} says {states}")
    if seconds > REPORT_LIMIT_SECONDS:
        raise DrillFailed("an unfit worker reports it within a minute", f"{seconds:.0f} s")
    stage.remarks.append(f"{vm.name} reported unfit after {seconds:.1f} s")
