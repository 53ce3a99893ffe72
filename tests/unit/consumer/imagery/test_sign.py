import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from consumer.imagery import sign
from consumer.imagery.sign import ContainerTokens, NoSigning, signer_for, without_token
from contract.errors import TryLater

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.time = START

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(storage, clock, monkeypatch):
    """Tokens for files of this very storage, which stands in for the blob service too."""
    monkeypatch.setattr(sign, "RETRIES", sign.RETRIES.new(backoff_factor=0, backoff_jitter=0))
    offer(storage, "sig=one", START + timedelta(hours=1))
    return ContainerTokens(endpoint=f"{storage.url}/sas", storage_domain="127.0.0.1", now=clock)


def offer(storage, token, ends):
    storage.files["/sas/127/sentinel2"] = json.dumps(
        {"token": token, "msft:expiry": ends.isoformat()}
    ).encode()


def test_one_token_serves_all_files_of_a_container(storage, tokens):
    signed = [tokens.sign(f"{storage.url}/sentinel2/{name}.tif") for name in "abc"]
    assert signed == [f"{storage.url}/sentinel2/{name}.tif?sig=one" for name in "abc"]
    assert len(storage.requests) == 1


def test_threads_that_need_a_token_at_once_cause_one_request(storage, tokens):
    start = threading.Barrier(8)

    def sign():
        start.wait()
        tokens.sign(f"{storage.url}/sentinel2/a.tif")

    threads = [threading.Thread(target=sign) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(storage.requests) == 1


@pytest.mark.parametrize(("minutes", "asked"), [(54, 1), (56, 2), (90, 2)])
def test_a_token_is_renewed_before_it_ends(storage, tokens, clock, minutes, asked):
    tokens.sign(f"{storage.url}/sentinel2/a.tif")
    clock.time += timedelta(minutes=minutes)
    offer(storage, "sig=two", clock.time + timedelta(hours=1))
    signed = tokens.sign(f"{storage.url}/sentinel2/a.tif")
    assert signed.endswith("sig=two" if asked == 2 else "sig=one")
    assert len(storage.requests) == asked


def test_a_refused_token_is_replaced_at_once(storage, tokens):
    href = f"{storage.url}/sentinel2/a.tif"
    tokens.sign(href)
    offer(storage, "sig=two", START + timedelta(hours=1))
    tokens.renew(f"{href}?sig=one")
    assert tokens.sign(href) == f"{href}?sig=two"


def test_a_thread_refused_with_an_older_token_does_not_throw_the_new_one_away(storage, tokens):
    href = f"{storage.url}/sentinel2/a.tif"
    tokens.sign(href)
    offer(storage, "sig=two", START + timedelta(hours=1))
    for _ in range(3):
        tokens.renew(f"{href}?sig=one")
        assert tokens.sign(href) == f"{href}?sig=two"
    assert len(storage.requests) == 2


@pytest.mark.parametrize(("seconds", "asked"), [(14, 1), (16, 2)])
def test_a_token_that_lives_for_seconds_is_renewed_after_half_its_life(
    storage, clock, tokens, seconds, asked
):
    offer(storage, "sig=one", START + timedelta(seconds=30))
    tokens.sign(f"{storage.url}/sentinel2/a.tif")
    clock.time += timedelta(seconds=seconds)
    tokens.sign(f"{storage.url}/sentinel2/a.tif")
    assert len(storage.requests) == asked


def test_a_token_that_still_holds_outlasts_a_sign_endpoint_in_trouble(storage, clock, tokens):
    href = f"{storage.url}/sentinel2/a.tif"
    tokens.sign(href)
    storage.fails_when = lambda method, target: 503
    clock.time += timedelta(minutes=58)
    assert tokens.sign(href) == f"{href}?sig=one"
    clock.time += timedelta(minutes=3)
    with pytest.raises(TryLater):
        tokens.sign(href)


@pytest.mark.parametrize("answer", [b"no json", b"{}", b'{"token": "t", "msft:expiry": "soon"}', None])
def test_no_token_means_later(storage, tokens, answer):
    if answer is None:
        storage.fails_when = lambda method, target: 429
    else:
        storage.files["/sas/127/sentinel2"] = answer
    with pytest.raises(TryLater, match="no token for 127/sentinel2"):
        tokens.sign(f"{storage.url}/sentinel2/a.tif")


@pytest.mark.parametrize("href", ["http://elsewhere.example/a.tif", "http://127.0.0.1/c/a.tif?st=1&sig=x"])
def test_foreign_and_signed_files_are_left_alone(tokens, storage, href):
    assert tokens.sign(href) == href
    assert storage.requests == []


def test_only_planetary_computer_is_signed_for():
    assert isinstance(signer_for("https://planetarycomputer.microsoft.com/api/stac/v1"), ContainerTokens)
    assert isinstance(signer_for("https://earth-search.aws.element84.com/v1"), NoSigning)
    assert isinstance(signer_for("http://127.0.0.1:8000"), NoSigning)
    assert isinstance(signer_for("https://planetarycomputer.microsoft.com.evil.example/"), NoSigning)


def test_a_token_never_reaches_a_log():
    assert (
        without_token("https://a.blob.core.windows.net/c/b.tif?sig=secret")
        == "https://a.blob.core.windows.net/c/b.tif"
    )
