"""What a VM hears of its own end, and how the document of events changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from laptop_cloud.metadata.scheduled_events import ScheduledEvents

EXAMPLES = Path(__file__).resolve().parents[4] / "shared" / "azure" / "examples"
NOW = datetime(2026, 4, 11, 22, 26, 28, tzinfo=UTC)


@pytest.fixture
def events():
    return ScheduledEvents(lambda: NOW)


def example(name):
    path = EXAMPLES / name
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    return json.loads(path.read_text())


def shape(value):
    """Names and types, without the values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_an_eviction_is_announced_begins_and_vanishes_each_in_a_document_of_its_own(events):
    event = events.announce("vm-1", "Preempt", 30)
    (scheduled,) = events.document("vm-1")["Events"]
    assert (scheduled["EventStatus"], scheduled["NotBefore"]) == (
        "Scheduled",
        "Sat, 11 Apr 2026 22:26:58 GMT",
    )
    assert (scheduled["EventType"], scheduled["Resources"]) == ("Preempt", ["vm-1"])
    events.begin(event)
    (started,) = events.document("vm-1")["Events"]
    assert (started["EventStatus"], started["NotBefore"]) == ("Started", "")
    events.finish(event)
    assert events.document("vm-1") == {"DocumentIncarnation": 4, "Events": []}


def test_a_document_that_does_not_change_keeps_its_incarnation(events):
    event = events.announce("vm-1", "Preempt", 30)
    events.finish(event)
    before = events.document("vm-1")
    events.finish(event)
    assert events.document("vm-1") == before


def test_each_vm_hears_of_itself_alone(events):
    events.announce("vm-1", "Preempt", 30)
    assert events.document("vm-2")["Events"] == []


def test_an_approved_event_need_not_wait_for_its_time(events):
    event = events.announce("vm-1", "Preempt", 30)
    assert not events.await_approval(event, 0)
    assert events.approve("vm-1", event.id)
    assert events.await_approval(event, 0)


def test_what_another_vm_or_nobody_was_told_cannot_be_approved(events):
    event = events.announce("vm-1", "Preempt", 30)
    assert not events.approve("vm-2", event.id)
    events.finish(event)
    assert not events.approve("vm-1", event.id)


def test_a_preemption_has_the_shape_of_azures_example(events):
    events.announce("vm-spot", "Preempt", 30)
    assert shape(events.document("vm-spot")) == shape(example("scheduledevents_preempt.json"))


def test_a_freeze_goes_through_the_incarnations_of_azures_example(events):
    seen = [events.document("WestNO_0")]
    event = events.announce("WestNO_0", "Freeze", 30, duration_seconds=5)
    seen.append(events.document("WestNO_0"))
    events.begin(event)
    seen.append(events.document("WestNO_0"))
    events.finish(event)
    seen.append(events.document("WestNO_0"))
    wanted = example("scheduledevents_freeze_sequence.json")
    assert [shape(one) for one in seen] == [shape(one) for one in wanted]
    for one, other in zip(seen, wanted, strict=True):
        assert one["DocumentIncarnation"] == other["DocumentIncarnation"]
        assert [told(event) for event in one["Events"]] == [told(event) for event in other["Events"]]


def told(event):
    """Status, time and duration; the example's day of the week does not belong to its date."""
    return event["EventStatus"], event["NotBefore"][len("Mon, ") :], event["DurationInSeconds"]
