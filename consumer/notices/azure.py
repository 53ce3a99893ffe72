"""Azure Scheduled Events (api-version 2020-07-01).

The first question switches the service on for this machine, which may take two minutes, so it is asked from
boot on. All machines of a placement group hear of each other: only events that name this one count. Events
are never acknowledged: that would start them at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from consumer.notices.metadata import Answer, Metadata, moment_of
from consumer.notices.notice import NoAnswer, Notice
from contract.errors import BadInput
from contract.json_text import parse_object

DEFAULT_URL = "http://169.254.169.254"
EVENTS_PATH = "/metadata/scheduledevents?api-version=2020-07-01"
COMPUTE_PATH = "/metadata/instance/compute?api-version=2021-02-01"
HEADERS = {"Metadata": "true"}
POLL_SECONDS = 1.0
FIRST_TIMEOUT_SECONDS = 130.0
"""The service takes up to two minutes to switch itself on."""
TIMEOUT_SECONDS = 10.0
LEAVING_TYPES = frozenset({"Preempt", "Terminate", "Reboot", "Redeploy"})
"""The machine or its boot ends. A Freeze passes within seconds, and unknown types are only logged."""


class AzureScheduledEvents:
    """Implements NoticeSource."""

    pause_seconds = POLL_SECONDS

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._name = ""
        self._incarnation: int | None = None
        self._has_answered = False

    @property
    def longest_poll_seconds(self) -> float:
        """Name and events, each of which may drip until its own limit and then one read more."""
        return 2 * (TIMEOUT_SECONDS + (TIMEOUT_SECONDS if self._has_answered else FIRST_TIMEOUT_SECONDS))

    def poll(self) -> list[Notice]:
        """New events of this machine; nothing while the document stays the same."""
        self._name = self._name or machine_name(self._metadata)
        timeout_seconds = TIMEOUT_SECONDS if self._has_answered else FIRST_TIMEOUT_SECONDS
        answer = self._metadata.ask(EVENTS_PATH, headers=HEADERS, timeout_seconds=timeout_seconds)
        document = _document(answer)
        self._has_answered = True
        incarnation, events = document.get("DocumentIncarnation"), document.get("Events")
        if not isinstance(incarnation, int) or not isinstance(events, list):
            raise NoAnswer("scheduled events: the document has no incarnation or no events")
        if incarnation == self._incarnation:
            return []
        notices = [_notice(event, answer) for event in events if isinstance(event, dict)]
        self._incarnation = incarnation
        return [notice for notice in notices if self._name.casefold() in map(str.casefold, notice.resources)]


def machine_name(metadata: Metadata) -> str:
    """This machine's name as events call it. NoAnswer."""
    answer = metadata.ask(COMPUTE_PATH, headers=HEADERS, timeout_seconds=TIMEOUT_SECONDS)
    name = _document(answer).get("name")
    if not isinstance(name, str) or not name:
        raise NoAnswer("instance/compute: the answer names no machine")
    return name


def _document(answer: Answer) -> dict[str, Any]:
    """429 and 5xx: busy. 410: the service is being updated. All of them: ask again."""
    if answer.status != 200:
        raise NoAnswer(f"the metadata service answered {answer.status}")
    try:
        return parse_object(answer.body, "the answer of the metadata service")
    except BadInput as error:
        raise NoAnswer(str(error)) from error


def _notice(event: Mapping[str, Any], answer: Answer) -> Notice:
    kind = _text(event, "EventType")
    resources = event.get("Resources")
    not_before = _text(event, "NotBefore")
    when = f"not before {not_before}" if not_before else "at any moment"
    description = _text(event, "Description")
    return Notice(
        cloud="azure",
        kind=kind,
        deadline=time.monotonic() + _seconds_left(not_before, answer),
        id=_text(event, "EventId"),
        reason=f"azure: {kind} {when}" + (f" ({description})" if description else ""),
        is_departure=kind in LEAVING_TYPES,
        resources=tuple(name for name in resources if isinstance(name, str))
        if isinstance(resources, list)
        else (),
    )


def _seconds_left(not_before: str, answer: Answer) -> float:
    """0 once the event has started, or when its time cannot be read."""
    moment = moment_of(not_before)
    return 0.0 if moment is None else answer.seconds_until(moment)


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return value[:200] if isinstance(value, str) else ""
