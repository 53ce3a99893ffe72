"""Drills about results that are damaged, holders that do not get on, and jobs that nobody wants any more."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from contract import artifact_names, ledger_events
from contract.heartbeat import Heartbeat, HeldTile, WorkerState, write_heartbeat
from contract.tile_message import decode_message
from contract.tile_queue import Received
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.laws import Expected, check_cancelled
from laptop_cloud.drills.play import Scene, finish
from laptop_cloud.drills.stage import Asked, Stage
from laptop_cloud.drills.toy_tiles import artifact_name

HOLDER = "slow-holder"
HELD_SECONDS = 3600


def corrupt_artifacts(scene: Scene) -> Cost:
    """A finished job loses an artifact, and two others are damaged. `verify` names all three, `--repair` has them done
    again, and every byte is as it was."""
    with scene.fleet(2) as stage:
        asked = stage.ask(6, artifacts=2)
        stage.await_end(asked)
        stage.await_empty_queues()  # a commit is published before its message is deleted
        damaged = scene.chance.sample(asked.tiles, 3)
        for tile, harm in zip(damaged, ("lost", "shortened", "flipped"), strict=True):
            _damage(stage, asked, tile, scene.chance.randrange(2), harm)
        answer = stage.type("fleetctl", "verify", asked.job.id, "--json", status=1)
        found = {fault["tile"] for fault in json.loads(answer[answer.index("{") :])["faults"]}
        if found != set(damaged):
            raise DrillFailed("verify names what is damaged, and nothing else", f"{found}, not {damaged}")
        stage.type("fleetctl", "verify", asked.job.id, "--repair", "--yes", status=1)
        return finish(stage, asked, Expected(generations=dict.fromkeys(damaged, 2)))


def _damage(stage: Stage, asked: Asked, tile: str, number: int, harm: str) -> None:
    name = artifact_names.published(asked.job.dataset, artifact_name(tile, number))
    before = stage.store.read(name)
    if harm == "lost":
        stage.store.delete(name)
    else:
        data = before.data[:-1] if harm == "shortened" else bytes(255 - byte for byte in before.data)
        stage.store.put(name, data, metadata=before.info.metadata)


def slow_holder(scene: Scene) -> Cost:
    """A worker that nobody hears of any more keeps a tile's message. An idle one makes the tile meanwhile, and the
    message, when it comes back, costs three requests."""
    with scene.fleet(2) as stage:
        with stage.frozen():
            asked = stage.ask(6)
            held = _hold_one(stage)
        tile = decode_message(held.body).tile.name
        stage.await_end(asked)
        stage.queues.tiles.renew(held, 0)
        return finish(stage, asked, figures=lambda: _second_attempt(stage, tile))


def _hold_one(stage: Stage) -> Received:
    """Take a message for longer than the drill lasts, and tell of it once."""
    (held,) = stage.queues.tiles.receive(1, HELD_SECONDS)
    message = decode_message(held.body)
    now = datetime.now(UTC).isoformat()
    tile = HeldTile(message.dataset, message.tile.name, "infer", 0.0, now, job=message.job)
    write_heartbeat(
        stage.store,
        Heartbeat(HOLDER, HOLDER, "boot", now, WorkerState.WORKING, (tile,), 1, 0.0, 0, None, 0),
    )
    return held


def _second_attempt(stage: Stage, tile: str) -> str:
    second = [event["tile"] for event in stage.events(ledger_events.SECOND_ATTEMPT)]
    if second.count(tile) != 1:  # on a busy machine others are slow and silent, too
        raise DrillFailed("an idle worker tries the tile of a silent one, once", f"it tried {second}", tile)
    return "its tile had one second attempt"


def cancelled_job(scene: Scene) -> Cost:
    """One of two jobs is cancelled in the middle of the work. Its messages go without a download, what it had finished
    stays, and the other job is not touched."""
    with scene.fleet(2) as stage:
        with stage.frozen():  # on a busy machine, asking takes as long as the unwanted tiles do
            unwanted = stage.ask(24, infer_seconds=6.0, seed=1)
            wanted = stage.ask(6, seed=2)
        stage.await_commits(unwanted, scene.chance.randint(1, 3))
        stage.type("fleetctl", "job", "cancel", unwanted.job.id, "--yes")
        cancelled_at = datetime.now(UTC)
        cost = finish(stage, wanted, figures=lambda: _seconds_to_clear(stage, unwanted, cancelled_at))
        check_cancelled(stage, unwanted)
        return cost


def _seconds_to_clear(stage: Stage, unwanted: Asked, cancelled_at: datetime) -> str:
    cleared = [e["time"] for e in stage.events(ledger_events.CANCELLED) if e["job"] == unwanted.job.id]
    if not cleared:
        raise DrillFailed("a cancelled job's messages are cleared", "none was: all its tiles were done")
    seconds = (datetime.fromisoformat(cleared[-1]) - cancelled_at).total_seconds()
    return f"{len(cleared)} messages gone {seconds:.1f} s after the word"
