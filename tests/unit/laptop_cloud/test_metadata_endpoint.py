"""The metadata service as a VM's programs meet it, over HTTP."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from consumer.notices.azure import AzureScheduledEvents
from consumer.notices.metadata import Metadata
from laptop_cloud import served
from laptop_cloud.metadata.answers import Instance
from laptop_cloud.metadata.endpoint import REQUESTS_PER_SECOND, MetadataService
from laptop_cloud.metadata.scheduled_events import ScheduledEvents
from tests.unit.laptop_cloud.test_scheduled_events import example

EVENTS = "/metadata/scheduledevents?api-version=2020-07-01"
COMPUTE = "/metadata/instance/compute?api-version=2021-02-01"
INSTANCE = Instance("vm-1", "02aab8a4", "Standard_NC24ads_A100_v4", "westus", {"tilefleet-fleet": "uk"})
ASKED = {"Metadata": "true"}


@contextmanager
def service(**options):
    events = ScheduledEvents()
    with served.running("metadata") as servers:
        yield servers.serve(MetadataService(INSTANCE, events, **options).application()), events


@pytest.fixture
def metadata():
    with service() as running:
        yield running


def ask(url, body=None, headers=ASKED, timeout_seconds=10):
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("headers", [{}, {"Metadata": "false"}, {**ASKED, "X-Forwarded-For": "1.2.3.4"}])
def test_a_request_that_could_have_been_forged_is_refused(metadata, headers):
    url, _ = metadata
    assert ask(url + EVENTS, headers=headers)[0] == 400


def test_a_request_without_a_version_is_refused(metadata):
    url, _ = metadata
    assert ask(f"{url}/metadata/scheduledevents")[0] == 400


def test_the_consumers_own_poller_hears_of_the_eviction_of_this_vm_once(metadata):
    url, events = metadata
    poller = AzureScheduledEvents(Metadata(url))
    assert poller.poll() == []
    event = events.announce("vm-1", "Preempt", 30)
    (notice,) = poller.poll()
    assert (notice.kind, notice.id, notice.is_departure) == ("Preempt", event.id, True)
    assert poller.poll() == []


def test_too_many_requests_in_one_second_are_refused(metadata):
    url, _ = metadata
    statuses = [ask(url + EVENTS)[0] for _ in range(REQUESTS_PER_SECOND)]
    assert set(statuses) == {200}
    # On a busy machine these may take more than a second: some more are asked until one is too many.
    assert 429 in (ask(url + EVENTS)[0] for _ in range(200))


def test_an_event_can_be_approved_and_an_unknown_one_cannot(metadata):
    url, events = metadata
    event = events.announce("vm-1", "Terminate", 300)
    asked = {"StartRequests": [{"EventId": event.id}]}
    assert ask(url + EVENTS, json.dumps(asked).encode())[0] == 200
    assert events.await_approval(event, 0)
    assert ask(url + EVENTS, b'{"StartRequests": [{"EventId": "another"}]}')[0] == 400
    assert ask(url + EVENTS, b'{"StartRequests": 7}')[0] == 400
    assert ask(url + EVENTS, b"what?")[0] == 400


def test_the_first_question_for_events_takes_its_time_and_no_other_does():
    with service(first_call_seconds=1.0) as (url, _):
        assert ask(url + COMPUTE)[0] == 200
        with pytest.raises(TimeoutError):
            ask(url + EVENTS, timeout_seconds=0.05)
        assert ask(url + EVENTS)[0] == 200
        assert ask(url + EVENTS, timeout_seconds=0.9)[0] == 200


def test_what_a_vm_is_told_of_itself_has_the_fields_and_types_of_azures_example(metadata):
    url, _ = metadata
    status, body = ask(url + COMPUTE)
    told, wanted = json.loads(body), example("imds_instance_compute.json")["compute"]
    assert status == 200
    assert set(wanted) <= set(told)
    assert {name: type(told[name]) for name in wanted} == {
        name: type(value) for name, value in wanted.items()
    }


def test_a_spot_vm_says_so_and_a_leaf_is_read_as_text(metadata):
    url, _ = metadata
    told = json.loads(ask(url + COMPUTE)[1])
    assert (told["priority"], told["evictionPolicy"], told["tags"]) == (
        "Spot",
        "Deallocate",
        "tilefleet-fleet:uk",
    )
    leaf = f"{url}/metadata/instance/compute/name?api-version=2021-02-01"
    assert ask(f"{leaf}&format=text") == (200, b"vm-1")
    assert ask(leaf)[0] == 400


def test_a_token_is_well_formed_and_names_what_it_was_asked_for(metadata):
    url, _ = metadata
    status, body = ask(
        f"{url}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
    )
    answer = json.loads(body)
    assert status == 200
    assert {type(value) for value in answer.values()} == {str}
    claims = json.loads(base64.urlsafe_b64decode(answer["access_token"].split(".")[1] + "=="))
    assert claims["aud"] == answer["resource"] == "https://storage.azure.com/"
    assert claims["exp"] == int(answer["expires_on"])
