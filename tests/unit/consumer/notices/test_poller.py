"""The poller hears what is announced; its own trouble is logged and mended and is never a reason to leave."""

from __future__ import annotations

import threading
import time

import pytest
import structlog

from consumer.notices import poller as poller_module
from consumer.notices.azure import AzureScheduledEvents
from consumer.notices.metadata import Metadata
from consumer.notices.notice import NoAnswer, Notice
from consumer.notices.poller import NoticePoller
from contract import log_lines
from tests.fleet_rig import wait_for
from tests.metadata_rig import EVENTS, Say

pytestmark = pytest.mark.slow

VM = "uk-west-3"


class Scripted:
    """A source that does one step of its script per poll, then hears nothing."""

    pause_seconds = 0.01
    longest_poll_seconds = 60.0

    def __init__(self, steps) -> None:
        self.steps = steps
        self.polls = 0

    def poll(self):
        self.polls += 1
        step = self.steps.pop(0) if self.steps else []
        if callable(step):
            step()
            return []
        if isinstance(step, Exception):
            raise step
        return step


def notice(kind="Preempt", *, seconds=30.0, is_departure=True) -> Notice:
    return Notice("azure", kind, time.monotonic() + seconds, f"id-{kind}", kind, is_departure)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(poller_module, "RESTART_SECONDS", 0.05)
    monkeypatch.setattr(poller_module, "LONGEST_PAUSE_SECONDS", 0.05)


@pytest.fixture
def logged():
    with structlog.testing.capture_logs() as lines:
        yield lambda event: [line for line in lines if line["event"] == event]


class Polling:
    """A poller over a script, and what it recorded."""

    def __init__(self, *steps, on_departure=None) -> None:
        self.recorded: list[Notice] = []
        self.source = Scripted(list(steps))
        self.poller = NoticePoller(lambda: self.source, on_departure or self.recorded.append)
        self.poller.start()

    def until_polled(self, times: int) -> None:
        wait_for(lambda: self.poller.look() is not None or self.source.polls >= times, "polls", 10)


@pytest.fixture
def poll():
    started = []

    def begin(*steps, **given) -> Polling:
        started.append(Polling(*steps, **given))
        return started[-1]

    yield begin
    for polling in started:
        polling.poller.finish()


def test_a_notice_becomes_a_departure_and_is_recorded_once(poll):
    polling = poll([notice()], [notice(seconds=20)])
    wait_for(lambda: polling.recorded, "the account", 10)
    polling.until_polled(3)
    wait_for(lambda: polling.source.polls >= 3, "polls", 10)
    departure = polling.poller.look()
    assert departure.is_eviction
    assert departure.deadline - time.monotonic() < 21  # the nearer one counts
    assert [seen.kind for seen in polling.recorded] == ["Preempt"]


def test_what_means_no_leaving_is_logged_once(poll, logged):
    unknown = notice("Hibernate", is_departure=False)
    polling = poll([unknown], [unknown], [unknown])
    polling.until_polled(5)
    assert polling.poller.look() is None
    assert [line["kind"] for line in logged(log_lines.NOTICE_IGNORED)] == ["Hibernate"]
    assert polling.recorded == []


def test_silence_is_said_once_and_so_is_its_end(poll, logged, quick):
    polling = poll(*[NoAnswer("429")] * 3)
    polling.until_polled(5)
    assert polling.poller.look() is None
    assert [line["reason"] for line in logged(log_lines.NOTICES_SILENT)] == ["429"]
    assert len(logged(log_lines.NOTICES_HEARD)) == 1


def test_a_poller_that_dies_is_started_again_and_nobody_leaves_for_it(poll, logged, quick):
    polling = poll(RuntimeError("a bug"), [], [notice()])
    wait_for(lambda: polling.poller.look() is not None, "the notice after the death", 10)
    assert [line["reason"] for line in logged(log_lines.NOTICE_POLLER_RESTARTED)] == ["it died"]
    assert polling.poller.look().reason == "Preempt"


def test_a_poller_that_hangs_is_started_again_beside_the_old_one(poll, logged, quick):
    stays_away = threading.Event()
    polling = poll(lambda: stays_away.wait(30), [notice()])
    polling.source.longest_poll_seconds = 0.1
    try:
        wait_for(lambda: polling.poller.look() is not None, "the notice that another thread heard", 10)
        assert "no poll has ended" in logged(log_lines.NOTICE_POLLER_RESTARTED)[0]["reason"]
    finally:
        stays_away.set()


def test_an_account_that_cannot_be_written_keeps_nobody_from_leaving(poll, logged):
    def fail(_notice):
        raise ConnectionError("away")

    polling = poll([notice()], on_departure=fail)
    wait_for(lambda: logged(log_lines.STORAGE_TROUBLE), "the log line", 10)
    assert polling.poller.look() is not None


def test_a_slow_account_does_not_delay_the_next_notice(poll):
    goes_on = threading.Event()
    polling = poll([notice("Reboot", seconds=900)], [notice()], on_departure=lambda _: goes_on.wait(30))
    wait_for(
        lambda: polling.poller.look() is not None and polling.poller.look().reason == "Preempt", "it", 10
    )
    goes_on.set()


@pytest.mark.parametrize(
    "said", [Say(status=500), Say(b"<html>"), Say(b"{}" * 10**6), Say(b'{"DocumentIncarnation": 1}')]
)
def test_a_service_that_talks_nonsense_is_asked_until_it_says_something(service, quick, monkeypatch, said):
    monkeypatch.setattr(AzureScheduledEvents, "pause_seconds", 0.01)
    service.be_azure(VM)
    service.answers[EVENTS] = said
    poller = NoticePoller(lambda: AzureScheduledEvents(Metadata(service.url)), lambda _: None)
    poller.start()
    try:
        wait_for(lambda: len(service.asked) >= 4, "several questions", 20)
        assert poller.look() is None
        service.announce(VM, "Preempt", 30, now=time.time())
        wait_for(lambda: poller.look() is not None, "the notice", 20)
    finally:
        poller.finish()


def test_a_service_that_hangs_is_no_notice(service, monkeypatch):
    monkeypatch.setattr("consumer.notices.azure.TIMEOUT_SECONDS", 0.2)
    service.be_azure(VM)
    service.hangs.set()
    source = AzureScheduledEvents(Metadata(service.url))
    with pytest.raises(NoAnswer, match="Timeout"):
        source.poll()
    service.hangs.clear()
    assert source.poll() == []
