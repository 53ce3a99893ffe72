"""The small parts of the daemon: what is worth a line, systemd's notes, metrics, policy, probes, finished jobs."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from contract.errors import BadInput
from contract.intake import SAY_AGAIN_SECONDS, read_intake_pause
from contract.job import JobState
from contract.job_store import read_status
from fleetctl.controller.changes import ChangeMonitor
from fleetctl.controller.finish import Finisher
from fleetctl.controller.intake import IntakeKeeper
from fleetctl.controller.memory import Intent, Memory, VmMemory
from fleetctl.controller.metrics import FleetMetrics
from fleetctl.controller.metrics_server import Address, parse_address, serve
from fleetctl.controller.sd_notify import ServiceNotes
from fleetctl.controller.snapshot import Power, Snapshot, VmSeen
from fleetctl.controller.tick import Ticked
from tests.machines_double import OFFER
from tests.unit.fleetctl.history.history_rig import TILES, HistoryRig


def test_a_reason_that_differs_in_its_numbers_alone_is_no_news():
    monitor = ChangeMonitor()
    assert monitor.look([("rehost a", "silent for 200 s")]).begun
    assert not monitor.look([("rehost a", "silent for 215 s")]).begun
    assert monitor.look([("rehost a", "unfit: ECC")]).begun
    assert monitor.look([]).ended == ("rehost a",)


@pytest.mark.parametrize("address", ["path", "@abstract"])
def test_systemd_hears_that_we_are_ready_and_get_further(tmp_path, address):
    name = str(tmp_path / "notify") if address == "path" else f"@tilefleet-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name if address == "path" else "\0" + name[1:])
        notes = ServiceNotes({"NOTIFY_SOCKET": name})
        notes.ready("waiting\nto lead")
        notes.progress("ticked")
        notes.stopping("told to")
        heard = [manager.recv(1000).decode().splitlines() for _ in range(3)]
    assert heard[0] == ["READY=1", "STATUS=waiting to lead", "WATCHDOG=1"]
    assert heard[1] == ["STATUS=ticked", "WATCHDOG=1"]
    assert heard[2][0] == "STOPPING=1"
    ServiceNotes({}).ready("nobody listens")
    ServiceNotes({"NOTIFY_SOCKET": name}).progress("it is gone")


def ticked(**seen) -> Ticked:
    vms = {"uk-a10-0001": VmSeen("uk-a10-0001", "a10", OFFER, Power.RUNNING)}
    snapshot = replace(Snapshot(1e9, vms, (), None, ()), **seen)
    return Ticked(snapshot, Memory(), (), (), (), 0.3)


def metrics() -> FleetMetrics:
    return FleetMetrics(
        "uk", tiles_done=lambda *_: 7, stage_seconds=lambda: {"infer": 262.0}, alerts_open=lambda: 1
    )


def test_metrics_show_the_last_tick_and_what_it_did_not_see():
    measured = metrics()
    measured.on_tick(ticked(usd_per_hour={OFFER: 0.6}))
    measured.on_tick(ticked(vms=None))
    value = measured.registry.get_sample_value
    assert value("tilefleet_machines", {"pool": "a10", "power": "running"}) == 1
    assert value("tilefleet_usd_per_hour") == 0.6
    assert value("tilefleet_seen", {"part": "machines"}) == 0
    assert value("tilefleet_tick_seconds_count") == 2
    assert value("tilefleet_stage_median_seconds", {"stage": "infer"}) == 262.0


def fetch(server, token=""):
    request = urllib.request.Request(f"http://127.0.0.1:{server.server_address[1]}/metrics")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def test_metrics_are_open_on_loopback_and_guarded_elsewhere():
    registry = metrics().registry
    server = serve(registry, Address("127.0.0.1", 0), "")
    assert "tilefleet_machines" in fetch(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(BadInput, match="METRICS_TOKEN"):
        serve(registry, Address("0.0.0.0", 0), "")
    guarded = serve(registry, Address("0.0.0.0", 0), "s3cret")
    for token in ("", "wrong"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(guarded, token)
    assert "tilefleet_machines" in fetch(guarded, "s3cret")
    guarded.shutdown()
    guarded.server_close()


def test_an_address_is_a_port_of_this_machine_or_host_and_port():
    assert parse_address("9464") == Address("127.0.0.1", 9464)
    assert parse_address("[::1]:80") == Address("::1", 80)
    for wrong in ("", "host", "host:", ":80:", "1.2.3.4:99999"):
        with pytest.raises(BadInput, match="HOST:PORT"):
            parse_address(wrong)


def test_intake_stays_paused_while_the_outage_lasts_with_one_probe_per_region():
    rig = HistoryRig()
    clock = [0.0]
    keeper = IntakeKeeper(rig.store, clock=lambda: clock[0])
    run = VmMemory(Intent.RUN, "", 0.0)
    names = ("uk-a10-0001", "uk-a10-0002")
    seen = ticked(vms={name: VmSeen(name, "a10", OFFER, Power.RUNNING) for name in names}).seen
    memory = Memory(vms=dict.fromkeys(names, run), outage_since=1.0)
    keeper.pause("the source fails")
    keeper.keep(seen, memory)
    assert read_intake_pause(rig.store).probes == {"uk-a10-0001"}
    rig.now += 890  # said again in time, it never runs out
    clock[0] += SAY_AGAIN_SECONDS
    keeper.keep(seen, memory)
    rig.now += 890
    assert read_intake_pause(rig.store).reason == "the source fails"
    after_a_restart = IntakeKeeper(rig.store)
    after_a_restart.keep(seen, replace(memory, outage_since=None))
    assert read_intake_pause(rig.store) is None


def test_a_job_is_finished_only_when_verify_says_so():
    rig, happened, alerted = HistoryRig(), [], []
    job = rig.ask(tiles=TILES[:2])
    for tile in TILES[:2]:
        rig.poison(tile)
    clock = [0.0]
    finisher = Finisher(
        rig.store,
        happened=lambda key, _: happened.append(key),
        alert=lambda key, _: alerted.append(key),
        resolve=lambda *_: None,
        clock=lambda: clock[0],
    )
    rig.commit(TILES[0])  # a commit that is none
    finisher.finish(job.id)
    finisher.wait(10)
    state = read_status(rig.store, job.id).status.state
    assert (state, happened) == (JobState.RUNNING, [])
    rig.store.delete(f"datasets/{job.dataset}/commits/{TILES[0].path_name}/g1")
    finisher.finish(job.id)  # too soon
    finisher.wait(10)
    assert happened == []
    clock[0] += 1e6
    finisher.finish(job.id)
    finisher.wait(10)
    assert read_status(rig.store, job.id).status.state is JobState.FINISHED
    assert happened == [f"job.finished:{job.id}"]
