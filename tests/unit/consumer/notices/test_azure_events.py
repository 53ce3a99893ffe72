"""Scheduled Events as recorded: which ones mean leaving, by when, and what is no answer at all."""

from __future__ import annotations

import json
import time

import pytest

from consumer.notices.azure import EVENTS_PATH, AzureScheduledEvents, machine_name
from consumer.notices.metadata import MAX_ANSWER_BYTES, Metadata
from consumer.notices.notice import NoAnswer
from tests.metadata_rig import COMPUTE, EVENTS, MetadataRig, Say, recorded


@pytest.fixture
def azure(service: MetadataRig) -> AzureScheduledEvents:
    service.answers[COMPUTE] = recorded("azure_compute.json")
    service.answers[EVENTS] = recorded("azure_nothing.json")
    return AzureScheduledEvents(Metadata(service.url))


@pytest.mark.parametrize(
    ("name", "seconds_left"),
    [
        ("azure_preempt", 30),
        ("azure_preempt_group", 30),
        ("azure_preempt_started", 0),
        ("azure_reboot", 900),
        ("azure_redeploy", 600),
        ("azure_redeploy_hardware", 0),
        ("azure_terminate", 300),
    ],
)
def test_an_event_that_ends_this_machine_means_leaving_by_its_time(azure, service, name, seconds_left):
    service.answers[EVENTS] = recorded(f"{name}.json")
    (notice,) = azure.poll()
    assert notice.is_departure
    departure = notice.departure()
    assert departure.is_eviction
    assert departure.deadline - time.monotonic() == pytest.approx(seconds_left, abs=2)
    assert notice.kind in departure.reason


@pytest.mark.parametrize("name", ["azure_freeze", "azure_freeze_started", "azure_unknown_type"])
def test_a_pause_or_an_unknown_event_does_not(azure, service, name):
    service.answers[EVENTS] = recorded(f"{name}.json")
    assert [notice.is_departure for notice in azure.poll()] == [False]


@pytest.mark.parametrize("name", ["azure_nothing", "azure_preempt_other"])
def test_nothing_and_events_of_other_machines_are_no_notice(azure, service, name):
    service.answers[EVENTS] = recorded(f"{name}.json")
    assert azure.poll() == []


def test_one_document_may_hold_both_kinds(azure, service):
    service.answers[EVENTS] = recorded("azure_freeze_then_preempt.json")
    assert [(notice.kind, notice.is_departure) for notice in azure.poll()] == [
        ("Freeze", False),
        ("Preempt", True),
    ]


def test_only_a_new_incarnation_is_news(azure, service):
    service.answers[EVENTS] = recorded("azure_preempt.json")
    assert [len(azure.poll()) for _ in range(3)] == [1, 0, 0]
    service.answers[EVENTS] = recorded("azure_preempt_started.json")
    assert len(azure.poll()) == 1


def test_it_asks_as_the_service_wants_and_never_acknowledges(azure, service):
    service.answers[EVENTS] = recorded("azure_preempt.json")
    azure.poll()
    azure.poll()
    assert {(asked.method, asked.headers["Metadata"]) for asked in service.asked} == {("GET", "true")}
    assert [asked.path for asked in service.asked[1:]] == [EVENTS_PATH] * 2  # its name is asked once


def test_proxies_of_the_environment_are_not_used(service, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    service.answers[COMPUTE] = recorded("azure_compute.json")
    assert machine_name(Metadata(service.url)) == "uk-west-3"


@pytest.mark.parametrize(
    "said",
    [
        Say(status=429),
        Say(status=410),
        Say(status=500),
        Say(b"<html>welcome</html>"),
        Say(b""),
        Say(b"\xff\xfe\x00"),
        Say(b"[" * 100_000),
        Say(b"[]"),
        Say(b'{"DocumentIncarnation": "3", "Events": []}'),
        Say(b'{"DocumentIncarnation": 3, "Events": {"a": 1}}'),
        Say(b" " * (MAX_ANSWER_BYTES + 1)),
        Say(b"{}", length=100),
        Say(status=302, headers={"Location": "http://127.0.0.1:9/"}),
    ],
    ids=lambda said: f"{said.status} {said.body[:12]!r}",
)
def test_what_is_no_answer_is_no_notice_and_is_asked_again(azure, service, said):
    service.answers[EVENTS] = said
    with pytest.raises(NoAnswer):
        azure.poll()
    service.answers[EVENTS] = recorded("azure_preempt.json")
    assert len(azure.poll()) == 1


def test_events_of_any_shape_are_survived(azure, service):
    service.answers[EVENTS] = Say(
        b'{"DocumentIncarnation": 9, "Events": [3, null, {}, {"Resources": "uk-west-3"}, {"EventType": 7, '
        b'"Resources": [1, "uk-west-3"], "NotBefore": [], "EventId": null}, {"EventType": "Preempt", '
        b'"Resources": ["uk-west-3"], "NotBefore": "soon, perhaps"}]}'
    )
    notices = azure.poll()
    assert [(notice.kind, notice.is_departure) for notice in notices] == [("", False), ("Preempt", True)]
    assert notices[1].deadline <= time.monotonic()


@pytest.mark.parametrize("date", ["Mon, 99999999999 Mar 2026 10:00:00 GMT", "tomorrow", ""])
def test_dates_that_no_calendar_has_are_survived(azure, service, date):
    event = {"EventType": "Preempt", "Resources": ["uk-west-3"], "NotBefore": date}
    document = json.dumps({"DocumentIncarnation": 9, "Events": [event]})
    service.answers[EVENTS] = Say(document.encode(), headers={"Date": date})
    (notice,) = azure.poll()
    assert notice.is_departure
    assert notice.deadline <= time.monotonic()


def test_without_its_own_name_no_event_is_its_own(azure, service):
    service.answers[COMPUTE] = Say(b'{"name": ""}')
    service.answers[EVENTS] = recorded("azure_preempt.json")
    with pytest.raises(NoAnswer, match="names no machine"):
        azure.poll()


def test_the_first_question_may_take_two_minutes_and_the_next_ones_may_not(azure):
    before = azure.longest_poll_seconds
    azure.poll()
    assert before > 120 > azure.longest_poll_seconds
