"""`watch` as a process that stays: one leads, trouble is said once, being told to leave touches no machine."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import structlog

from contract import artifact_names
from contract.errors import NotAllowed, StorageUnavailable
from contract.heartbeat import Heartbeat, WorkerState, write_heartbeat
from contract.ledger import LedgerReader
from contract.ledger_events import FLEET_DECISION
from fleetctl.controller import daemon as daemon_module
from fleetctl.controller.leader import Leader
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.snapshot import Power
from fleetctl.exit_codes import ExitCode
from tests.machines_double import OFFER
from tests.unit.fleetctl.controller.daemon_rig import DaemonRig


@pytest.fixture
def rig(tmp_path):
    return DaemonRig(tmp_path)


class Until:
    """Stops a controller after so many ticks that worked."""

    def __init__(self, ticks, stop):
        self.left, self.stop, self.ticked, self.failed = ticks, stop, [], []

    def on_tick(self, ticked):
        self.ticked.append(ticked)
        self.left -= 1
        if self.left <= 0:
            self.stop.set()

    def on_failed_tick(self, reason):
        self.failed.append(reason)


def run(rig, ticks, fault=None):
    stop = threading.Event()
    until = Until(ticks, stop)
    with structlog.testing.capture_logs() as logs:
        code = rig.controller(until, stop=stop, **({"fault": fault} if fault else {})).run()
    return code, until, logs


def test_one_tick_reaches_the_target_and_writes_its_decisions_to_the_ledger(rig):
    rig.ask(3)
    assert rig.controller().run(once=True) is ExitCode.DONE
    assert len(rig.machines.powers()) == 3
    events, _ = LedgerReader(rig.store()).read_new({})
    decisions = [event for event in events if event["name"] == FLEET_DECISION]
    assert [event["verb"] for event in decisions] == ["create"] * 3
    assert all(event["reason"] for event in decisions)


def test_the_next_controller_goes_on_and_does_nothing_twice(rig):
    rig.ask(3)
    for _ in range(4):
        rig.controller().run(once=True)
    assert rig.machines.calls("create") == 3
    assert set(rig.machines.powers().values()) == {Power.RUNNING}
    assert set(MemoryStore(rig.store()).load().vms) == set(rig.machines.powers())


def test_decisions_are_logged_when_they_are_taken_and_not_while_they_stand(rig):
    rig.ask(2)
    _, until, logs = run(rig, 5)
    assert len(until.ticked) == 5
    assert [line["verb"] for line in logs if line["event"] == "decided"] == ["create", "create"]


def test_a_second_controller_waits_and_says_who_leads(rig, monkeypatch):
    monkeypatch.setattr(daemon_module, "LEAD_POLL_SECONDS", 0.01)
    first = Leader(rig.store(), "ann@office, process 7")
    assert first.take()
    stop = threading.Event()
    second = rig.controller(stop=stop)
    waited = []
    take = second.daemon.leader.take
    second.daemon.leader.take = lambda: waited.append(1) or (len(waited) > 3 and stop.set()) or take()
    with structlog.testing.capture_logs() as logs:
        assert second.run() is ExitCode.DONE
    assert [line["leader"] for line in logs if line["event"] == daemon_module.WAITING] == [
        "ann@office, process 7"
    ]
    assert rig.machines.powers() == {}
    first.give_up()


def test_a_laptop_that_slept_ends_by_name_before_its_next_call(rig):
    rig.ask(2)
    controller = rig.controller()
    leader, store = controller.daemon.leader, controller.daemon.controller.store
    load, clock = store.load, leader._clock

    def load_and_sleep_for_an_hour():
        leader._clock = lambda: clock() + 3600
        return load()

    store.load = load_and_sleep_for_an_hour
    assert controller.run(once=True) is ExitCode.NOT_LEADING
    assert rig.machines.powers() == {}


def test_a_record_that_another_controller_wrote_ends_it_by_name(rig):
    controller = rig.controller()
    store = controller.daemon.controller.store
    load = store.load

    def load_and_be_overtaken():
        memory = load()
        rig.store().put(artifact_names.CONTROLLER_MEMORY, b"somebody else's")
        return memory

    store.load = load_and_be_overtaken
    rig.controller().run(once=True)
    assert controller.run(once=True) is ExitCode.NOT_LEADING


def test_storage_that_is_away_is_said_once_and_resolved_once(rig):
    rig.ask(1)
    failing = iter([False] * 8 + [True] * 6)

    def fault(moment, operation, name):
        if name == artifact_names.CONTROLLER_MEMORY and moment == "before" and next(failing, False):
            raise StorageUnavailable("503 ServerBusy")

    code, until, logs = run(rig, 12, fault)
    assert code is ExitCode.DONE
    assert until.failed
    events = [line["event"] for line in logs]
    assert events.count(daemon_module.TROUBLE) == events.count(daemon_module.RECOVERED) == 1
    assert rig.machines.calls("create") == 1


def test_a_missing_role_is_a_mistake_and_not_a_storm(rig):
    def fault(moment, operation, name):
        if name == artifact_names.CONTROLLER_LEADER:
            raise NotAllowed("writing control/leader: 403, the role Storage Blob Data Contributor is missing")

    with pytest.raises(NotAllowed, match="role"):
        rig.controller(fault=fault).run(once=True)


def test_being_told_to_leave_puts_off_what_is_not_called_yet(rig):
    rig.ask(4)
    stop = threading.Event()
    controller = rig.controller(stop=stop)
    create = rig.machines.create

    def create_and_stop(vm):
        stop.set()
        create(vm)

    rig.machines.create = create_and_stop
    assert controller.run() is ExitCode.DONE
    rig.machines.create = create
    made = rig.machines.calls("create")
    rig.controller().run(once=True)
    assert made >= 1
    assert rig.machines.calls("create") == len(rig.machines.powers()) == 4


def test_an_eviction_that_could_not_be_accounted_for_is_by_the_next_tick(rig):
    rig.ask(1)
    for _ in range(3):
        rig.controller().run(once=True)
    (name,) = rig.machines.powers()
    started = rig.store().now().isoformat()
    write_heartbeat(
        rig.store(), Heartbeat(name, name, "boot1", started, WorkerState.WORKING, (), 1, 0.0, 0, None, 0)
    )
    rig.controller().run(once=True)
    rig.machines.evict()

    def fault(moment, operation, name):
        if operation == "create" and name.startswith(artifact_names.EVICTIONS_PREFIX):
            raise StorageUnavailable("503 ServerBusy")

    rig.controller(fault=fault).run(once=True)
    assert list(rig.store().names(artifact_names.EVICTIONS_PREFIX)) == []
    rig.controller().run(once=True)
    assert list(rig.store().names(artifact_names.EVICTIONS_PREFIX)) == [
        artifact_names.eviction(name, "boot1")
    ]


def test_a_leader_whose_name_could_not_be_written_leads_at_its_next_try(rig):
    failing = iter([True])

    def fault(moment, operation, name):
        is_name = (moment, operation, name) == ("before", "put", artifact_names.CONTROLLER_LEADER)
        if is_name and next(failing, False):
            raise StorageUnavailable("503 ServerBusy")

    leader = Leader(rig.store(fault))
    with pytest.raises(StorageUnavailable):
        leader.take()
    assert leader.seconds_left <= 0
    assert leader.take(), "its own lease does not keep it waiting"
    leader.give_up()


def test_a_standby_whose_token_is_refused_for_a_while_goes_on_waiting(rig, monkeypatch):
    monkeypatch.setattr(daemon_module, "LEAD_POLL_SECONDS", 0.01)
    first, stop, asked = Leader(rig.store()), threading.Event(), []
    assert first.take()

    def fault(moment, operation, name):
        if (moment, operation) == ("before", "lease"):
            asked.append(name)
            if len(asked) == 2:
                raise NotAllowed("403: the token ran out")
            if len(asked) == 4:
                stop.set()

    assert rig.controller(fault=fault, stop=stop).run() is ExitCode.DONE
    assert len(asked) >= 4
    first.give_up()


def test_a_machine_whose_pool_is_gone_from_the_fleet_file_keeps_its_price(rig):
    rig.ask(1)
    rig.controller().run(once=True)
    rig.policy = replace(rig.policy, pools=())
    _, until, _ = run(rig, 1)
    assert until.ticked[0].seen.usd_per_hour == {OFFER: 0.6}
