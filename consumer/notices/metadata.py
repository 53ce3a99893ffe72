"""A cloud's instance metadata service: one small, bounded question at a time, through no proxy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3

from consumer.notices.notice import NoAnswer

MAX_ANSWER_BYTES = 1 << 20
PIECE_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def seconds_until(self, moment: datetime) -> float:
        """From now to a moment of the cloud's clock, by the answer's own date: this machine's clock may be
        wrong. Never negative."""
        now = moment_of(self.headers.get("Date", "")) or datetime.now(UTC)
        return max(0.0, (moment - now).total_seconds())


def moment_of(http_date: str) -> datetime | None:
    """With its zone, UTC where it names none; None for what is no date."""
    try:
        moment = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):  # the latter for numbers that no calendar has
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Metadata:
    """One metadata service, asked by one thread."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        # A pool of its own: neither proxies of the environment nor anybody else's connections.
        self._pool = urllib3.PoolManager(retries=False, maxsize=1)

    def ask(
        self, path: str, *, headers: Mapping[str, str], timeout_seconds: float, method: str = "GET"
    ) -> Answer:
        """One request. NoAnswer when it fails, takes too long or is answered with more than a MiB."""
        try:
            response = self._pool.request(
                method,
                self._base_url + path,
                headers=dict(headers),
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=min(5.0, timeout_seconds), read=timeout_seconds),
            )
            try:
                body = _read(response, time.monotonic() + timeout_seconds)
            finally:
                if response.length_remaining != 0:
                    response.close()  # the rest would be taken for the next answer
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NoAnswer(f"{path.partition('?')[0]}: no answer ({type(error).__name__})") from error
        return Answer(response.status, body, response.headers)


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """All of it. A server that drips is no better than one that is silent."""
    pieces: list[bytes] = []
    length = 0
    while piece := response.read1(PIECE_BYTES):
        pieces.append(piece)
        length += len(piece)
        if length > MAX_ANSWER_BYTES:
            raise ValueError(f"more than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(pieces)
