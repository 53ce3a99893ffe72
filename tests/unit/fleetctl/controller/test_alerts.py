"""Alerts: said once, resolved once, across restarts and receivers that do not answer."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from contract.artifact_names import ALERTS
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import StorageUnavailable
from fleetctl.controller.alerts import Alerts
from fleetctl.controller.receivers import NotTaken, post, receivers, run


@pytest.fixture
def store():
    return SimulatedBlobStore(SimulatedContainer(lambda: 1_700_000_000.0))


class Receiver:
    def __init__(self):
        self.told, self.is_away = [], False

    def __call__(self, facts):
        if self.is_away:
            raise NotTaken("away")
        self.told.append((facts["alert"], facts["state"]))


def begin(store, receiver) -> Alerts:
    alerts = Alerts(store, "uk", (receiver,))
    alerts.load()
    return alerts


def tick(alerts):
    alerts.after_tick()
    alerts.finish(5)


def test_what_goes_on_is_said_once_and_what_ends_is_resolved_once(store):
    receiver = Receiver()
    alerts = begin(store, receiver)
    for _ in range(3):
        alerts.alert("source-outage", "12 of 20 attempts failed")
        tick(alerts)
    for _ in range(2):
        alerts.resolve("source-outage", "a probe got through")
        tick(alerts)
    alerts.resolve("never-said", "why not")
    tick(alerts)
    assert receiver.told == [("source-outage", "begun"), ("source-outage", "resolved")]
    assert alerts.open_count == 0


def test_a_restarted_controller_does_not_say_it_again_and_can_resolve_it(store):
    receiver = Receiver()
    first = begin(store, receiver)
    first.alert("quarantine:uk-a10-0001", "rehosted twice")
    tick(first)
    second = begin(store, receiver)
    second.alert("quarantine:uk-a10-0001", "rehosted twice")
    tick(second)
    second.resolve("quarantine:uk-a10-0001", "started by a person")
    tick(second)
    assert [state for _, state in receiver.told] == ["begun", "resolved"]


def test_what_was_said_of_a_job_is_over_with_the_job(store):
    receiver = Receiver()
    alerts = begin(store, receiver)
    for job in ("cancelled", "running"):
        alerts.alert(f"job.incomplete:{job}", "verify finds it incomplete")
    tick(alerts)
    for _ in range(2):
        alerts.resolve_others("job.incomplete:", {"running"}, "the job is over")
        tick(alerts)
    assert receiver.told[2:] == [("job.incomplete:cancelled", "resolved")]
    assert alerts.open_count == 1


def test_a_receiver_that_is_away_is_told_when_it_is_back(store):
    receiver = Receiver()
    receiver.is_away = True
    alerts = begin(store, receiver)
    alerts.once("job.finished:uk-2024", "verified")
    tick(alerts)
    receiver.is_away = False
    after = begin(store, receiver)
    tick(after)
    tick(after)
    assert receiver.told == [("job.finished:uk-2024", "happened")]
    assert after.open_count == 0


def test_a_receiver_that_is_away_does_not_have_the_others_told_again(store):
    there, away = Receiver(), Receiver()
    away.is_away = True
    alerts = Alerts(store, "uk", (away, there))
    alerts.alert("source-outage", "12 of 20 attempts failed")
    for _ in range(3):
        tick(alerts)
    away.is_away = False
    tick(alerts)
    assert there.told == away.told == [("source-outage", "begun")]


def test_what_could_not_be_kept_is_not_said_to_be_done_and_is_kept_later(store):
    put, store.put = store.put, refuse
    alerts = begin(store, Receiver())
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            alerts.alert("source-outage", "12 of 20 attempts failed")
    store.put = put
    alerts.alert("source-outage", "12 of 20 attempts failed")
    assert begin(store, Receiver()).open_count == 1


def refuse(*_, **__):
    raise StorageUnavailable("503 ServerBusy")


def test_a_tick_that_did_not_see_whether_it_goes_on_ends_nothing(store):
    receiver = Receiver()
    alerts = begin(store, receiver)
    alerts.alert("silent-fleet", "9 of 10 fell silent")
    tick(alerts)
    alerts.after_tick(is_complete=False)
    alerts.finish(5)
    assert receiver.told == [("silent-fleet", "begun")]


def test_what_the_rules_say_at_every_tick_is_over_when_they_do_not(store):
    receiver = Receiver()
    alerts = begin(store, receiver)
    alerts.alert("silent-fleet", "9 of 10 fell silent")
    tick(alerts)
    tick(alerts)
    assert receiver.told == [("silent-fleet", "begun"), ("silent-fleet", "resolved")]


@pytest.mark.parametrize("damage", [b"", b'{"v":1}', b'{"v":1,"open":[{"key":1}]}', b'{"v":9,"open":[]}'])
def test_a_damaged_record_is_begun_anew(store, damage):
    store.put(ALERTS, damage)
    receiver = Receiver()
    alerts = begin(store, receiver)
    alerts.alert("k", "why")
    tick(alerts)
    assert receiver.told == [("k", "begun")]


class Webhook(BaseHTTPRequestHandler):
    status, bodies = 204, []

    def do_POST(self):
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(type(self).status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def webhook():
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    Webhook.status, Webhook.bodies = 204, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/secret"
    server.shutdown()
    server.server_close()


FACTS = {"alert": "k", "text": "uk: k begun: why"}


def test_a_webhook_gets_json_and_its_address_is_in_no_message(webhook):
    (tell,) = receivers(webhook, ())
    tell(FACTS)
    assert Webhook.bodies == [FACTS]
    Webhook.status = 500
    with pytest.raises(NotTaken, match="answered 500") as refusal:
        post(webhook, FACTS)
    assert "secret" not in str(refusal.value)
    with pytest.raises(NotTaken, match="did not answer") as refusal:
        post("http://127.0.0.1:9/secret", FACTS)
    assert "secret" not in str(refusal.value)


def test_a_command_gets_the_alert_on_its_input_and_no_shell(tmp_path):
    file = tmp_path / "told; touch never"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    run([sys.executable, "-c", code, str(file)], FACTS)
    assert json.loads(file.read_text()) == FACTS
    assert not (tmp_path / "never").exists()
    with pytest.raises(NotTaken, match="ended with 3"):
        run([sys.executable, "-c", "raise SystemExit(3)"], FACTS)
    with pytest.raises(NotTaken, match="FileNotFoundError"):
        run([str(tmp_path / "no-such-program")], FACTS)
