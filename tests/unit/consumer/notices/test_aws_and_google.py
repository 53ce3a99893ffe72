"""The other clouds' notices as recorded: a token and a 404, and a value that is waited for."""

from __future__ import annotations

import time

import pytest

from consumer.notices.aws import ACTION_PATH, REBALANCE_PATH, TOKEN_HEADERS, TOKEN_PATH, AwsSpot
from consumer.notices.google import PATH, GooglePreemption
from consumer.notices.metadata import Metadata
from consumer.notices.notice import NoAnswer
from tests.metadata_rig import Asked, MetadataRig, Say, recorded

TOKEN_HEADER = "X-aws-ec2-metadata-token"


class Aws:
    """Hands out tokens, and answers only who brings the newest."""

    def __init__(self, service: MetadataRig) -> None:
        self.tokens = 0
        self.told: dict[str, Say] = {}
        service.answers[TOKEN_PATH] = self.token
        for path in (ACTION_PATH, REBALANCE_PATH):
            service.answers[path] = self.answer

    def token(self, asked: Asked) -> Say:
        (name, seconds) = next(iter(TOKEN_HEADERS.items()))
        if asked.method != "PUT" or asked.headers.get(name) != seconds:
            return Say(status=400)
        self.tokens += 1
        return Say(f"token-{self.tokens}".encode())

    def answer(self, asked: Asked) -> Say:
        if asked.headers.get(TOKEN_HEADER) != f"token-{self.tokens}":
            return Say(status=401)
        return self.told.get(asked.path, Say(status=404))


@pytest.fixture
def aws(service):
    return Aws(service), AwsSpot(Metadata(service.url))


@pytest.mark.parametrize(("action", "seconds_left"), [("terminate", 120), ("stop", 120), ("hibernate", 0)])
def test_an_interruption_of_aws_means_leaving_once(aws, action, seconds_left):
    cloud, source = aws
    assert source.poll() == []
    cloud.told[ACTION_PATH] = recorded(f"aws_{action}.json")
    (notice,) = source.poll()
    assert (notice.kind, notice.is_departure) == (action, True)
    assert notice.deadline - time.monotonic() == pytest.approx(seconds_left, abs=2)
    assert source.poll() == []
    assert cloud.tokens == 1


def test_a_rebalance_recommendation_is_only_for_the_log(aws):
    cloud, source = aws
    cloud.told[REBALANCE_PATH] = recorded("aws_rebalance.json")
    assert [(notice.kind, notice.is_departure) for notice in source.poll()] == [("rebalance", False)]
    assert source.poll() == []


def test_a_recommendation_that_is_not_to_be_had_hides_no_interruption(aws):
    cloud, source = aws
    cloud.told[REBALANCE_PATH] = Say(status=500)
    cloud.told[ACTION_PATH] = recorded("aws_terminate.json")
    assert [notice.kind for notice in source.poll()] == ["terminate"]


def test_a_token_that_ran_out_is_replaced(aws):
    cloud, source = aws
    source.poll()
    cloud.tokens += 1
    with pytest.raises(NoAnswer, match="401"):
        source.poll()
    cloud.told[ACTION_PATH] = recorded("aws_terminate.json")
    assert len(source.poll()) == 1


@pytest.mark.parametrize(
    "said", [Say(b"<html>"), Say(b'{"action": 3}', status=503), Say(b"[]")], ids=["html", "503", "list"]
)
def test_an_answer_of_aws_that_says_nothing_is_no_notice(aws, said):
    cloud, source = aws
    cloud.told[ACTION_PATH] = said
    with pytest.raises(NoAnswer):
        source.poll()


@pytest.mark.parametrize("said", [Say(status=403), Say(b""), Say(b"a\r\nb"), Say(b"x" * 5000)])
def test_what_is_no_token_is_not_sent_back(service, said):
    service.answers[TOKEN_PATH] = said
    with pytest.raises(NoAnswer):
        AwsSpot(Metadata(service.url)).poll()
    assert len(service.asked) == 1


def google_says(name: str, etag: str) -> Say:
    return recorded(f"google_{name}.txt", **{"Metadata-Flavor": "Google", "ETag": etag})


def test_a_preemption_of_google_is_waited_for_and_means_leaving_once(service):
    source = GooglePreemption(Metadata(service.url))
    service.answers[PATH] = google_says("running", "e1")
    assert [source.poll(), source.poll()] == [[], []]
    service.answers[PATH] = google_says("preempted", "e2")
    (notice,) = source.poll()
    assert notice.is_departure
    assert notice.deadline - time.monotonic() == pytest.approx(30, abs=2)
    assert source.poll() == []
    queries = [asked.path.partition("?")[2] for asked in service.asked]
    waiting = "wait_for_change=true&timeout_sec=30&last_etag="
    assert queries == ["", f"{waiting}e1", f"{waiting}e1", f"{waiting}e2"]
    assert {asked.headers["Metadata-Flavor"] for asked in service.asked} == {"Google"}


@pytest.mark.parametrize(
    "said",
    [
        Say(b"TRUE"),  # anybody may say that: Google signs its answers with a header
        Say(b"MAYBE", headers={"Metadata-Flavor": "Google"}),
        Say(b"TRUE", status=503, headers={"Metadata-Flavor": "Google"}),
        Say(b"TRUE" * 20, headers={"Metadata-Flavor": "Google"}),
    ],
    ids=["not Google", "no value", "503", "too long"],
)
def test_an_answer_that_is_not_googles_is_no_notice(service, said):
    service.answers[PATH] = said
    with pytest.raises(NoAnswer):
        GooglePreemption(Metadata(service.url)).poll()
