"""The dead man's switch: only a machine that is idle for long, in a fleet that lost its controller, lets itself go."""

from __future__ import annotations

import json

import pytest

from consumer.dead_man import DeadMan
from consumer.notices.notice import NoAnswer
from consumer.own_machine import OwnMachine
from contract.artifact_names import CONTROLLER_MEMORY, STOP_AFTER
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.eviction import read_eviction
from contract.heartbeat import Heartbeat, WorkerState, write_heartbeat
from tests.metadata_rig import COMPUTE, Asked, Say, metadata_service

MACHINE = "/subscriptions/s/resourceGroups/uk/providers/Microsoft.Compute/virtualMachines/uk-a10-0001"
TOKEN = "/metadata/identity/oauth2/token"


class Scene:
    """A worker on a machine, a minute per look."""

    def __init__(self, had_controller=True):
        self.now, self.is_busy, self.let_go = 1_700_000_000.0, False, 0
        self.store = SimulatedBlobStore(SimulatedContainer(lambda: self.now))
        if had_controller:
            self.store.put(CONTROLLER_MEMORY, b"{}")
        self.switch = DeadMan(
            self.store,
            "uk-a10-0001",
            "boot-1",
            900.0,
            lambda: self.is_busy,
            self.deallocate,
            clock=lambda: self.now,
        )

    def deallocate(self):
        self.let_go += 1

    def looks(self, count):
        for _ in range(count):
            self.now += 60
            self.switch.look()

    def beat(self, worker, vm, held):
        beat = Heartbeat(
            worker, vm, "boot", "2026-01-01T00:00:00+00:00", WorkerState.WORKING, (), held, 0, 0, None, 0
        )
        write_heartbeat(self.store, beat)


def test_an_idle_machine_without_a_controller_lets_itself_go_after_its_patience():
    scene = Scene()
    scene.looks(14)
    assert scene.let_go == 0
    scene.looks(1)
    assert scene.let_go == 1


def test_a_fleet_past_its_end_ends_by_itself_and_blames_no_tile():
    scene = Scene()
    scene.is_busy = True
    end = scene.now + 600
    for _ in range(24):
        scene.store.put(CONTROLLER_MEMORY, b"{}", metadata={STOP_AFTER: f"{end:.0f}"})
        scene.looks(1)
    assert scene.let_go == 0
    scene.looks(1)
    assert scene.let_go == 1
    assert read_eviction(scene.store, "uk-a10-0001", "boot-1").seen_by == "dead man"


def test_a_controller_that_ticks_keeps_it():
    scene = Scene()
    for _ in range(60):
        scene.store.put(CONTROLLER_MEMORY, b"{}")
        scene.looks(1)
    assert scene.let_go == 0
    scene.looks(14)
    assert scene.let_go == 1


def test_a_worker_that_holds_a_tile_now_and_then_stays():
    scene = Scene()
    for _ in range(20):
        scene.is_busy = True
        scene.looks(1)
        scene.is_busy = False
        scene.looks(13)
    assert scene.let_go == 0


def test_a_neighbour_on_the_same_machine_that_holds_a_tile_keeps_it():
    scene = Scene()
    for _ in range(20):
        scene.beat("uk-a10-0001-s1", "uk-a10-0001", 1)
        scene.beat("uk-a10-0002-s0", "uk-a10-0002", 1)
        scene.looks(1)
    assert scene.let_go == 0
    scene.beat("uk-a10-0001-s1", "uk-a10-0001", 0)
    scene.looks(1)
    assert scene.let_go == 1


def test_where_no_controller_ever_was_none_is_missing():
    scene = Scene(had_controller=False)
    scene.looks(100)
    assert scene.let_go == 0


def test_it_deallocates_itself_with_a_token_of_its_own():
    with metadata_service() as rig:
        rig.answers[COMPUTE] = Say(json.dumps({"name": "uk-a10-0001", "resourceId": MACHINE}).encode())
        rig.answers[TOKEN] = Say(b'{"access_token":"t0ken"}')
        rig.answers[f"{MACHINE}/deallocate"] = Say(status=202)
        OwnMachine(rig.url, rig.url)()
        last: Asked = rig.asked[-1]
    assert last.method == "POST"
    assert last.headers["Authorization"] == "Bearer t0ken"
    assert rig.asked[1].headers["Metadata"] == "true"


@pytest.mark.parametrize(
    ("path", "say", "told"),
    [
        (TOKEN, Say(b'{"error":"invalid_request"}', 400), "400 and no access_token"),
        (COMPUTE, Say(b"{}"), "no resourceId"),
        (
            f"{MACHINE}/deallocate",
            Say(b'{"error":{"code":"AuthorizationFailed","message":"t0ken"}}', 403),
            "403 AuthorizationFailed",
        ),
    ],
)
def test_a_refusal_says_what_was_missing_and_never_the_token(path, say, told):
    with metadata_service() as rig:
        rig.answers[COMPUTE] = Say(json.dumps({"resourceId": MACHINE}).encode())
        rig.answers[TOKEN] = Say(b'{"access_token":"t0ken"}')
        rig.answers[path] = say
        with pytest.raises(NoAnswer, match=told) as refusal:
            OwnMachine(rig.url, rig.url)()
    assert "t0ken" not in str(refusal.value)
