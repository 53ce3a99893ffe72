"""Spot interruptions of AWS (IMDSv2): two minutes ahead, or at once for a hibernation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from consumer.notices.metadata import Answer, Metadata
from consumer.notices.notice import NoAnswer, Notice
from contract.errors import BadInput
from contract.json_text import parse_object

DEFAULT_URL = "http://169.254.169.254"
TOKEN_PATH = "/latest/api/token"  # noqa: S105 - where to ask for one
TOKEN_SECONDS = 21600
TOKEN_HEADERS = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
ACTION_PATH = "/latest/meta-data/spot/instance-action"
REBALANCE_PATH = "/latest/meta-data/events/recommendations/rebalance"
POLL_SECONDS = 5.0
TIMEOUT_SECONDS = 5.0
LEAVING_ACTIONS = frozenset({"terminate", "stop", "hibernate"})


class AwsSpot:
    """Implements NoticeSource."""

    pause_seconds = POLL_SECONDS
    longest_poll_seconds = 2 * 3 * TIMEOUT_SECONDS

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._token = ""
        self._seen: set[str] = set()

    def poll(self) -> list[Notice]:
        """The interruption once it is announced; a rebalance recommendation only for the log."""
        # One after the other: a recommendation that is not to be had must not hide an interruption.
        return self._news(ACTION_PATH, _interruption) or self._news(REBALANCE_PATH, _recommendation)

    def _news(self, path: str, read: Callable[[Answer], Notice]) -> list[Notice]:
        answer = self._ask(path)
        if answer is None or (notice := read(answer)).id in self._seen:
            return []
        self._seen.add(notice.id)
        return [notice]

    def _ask(self, path: str) -> Answer | None:
        """None: nothing is announced there."""
        if not self._token:
            self._token = self._new_token()
        answer = self._metadata.ask(
            path, headers={"X-aws-ec2-metadata-token": self._token}, timeout_seconds=TIMEOUT_SECONDS
        )
        if answer.status == 404:
            return None
        if answer.status == 401:
            self._token = ""  # it ran out: a new one with the next poll
        if answer.status != 200:
            raise NoAnswer(f"{path}: the metadata service answered {answer.status}")
        return answer

    def _new_token(self) -> str:
        answer = self._metadata.ask(
            TOKEN_PATH, method="PUT", headers=TOKEN_HEADERS, timeout_seconds=TIMEOUT_SECONDS
        )
        token = answer.body.decode("ascii", "replace").strip()
        if answer.status != 200 or not (token.isascii() and token.isprintable() and 0 < len(token) < 4096):
            raise NoAnswer(f"{TOKEN_PATH}: the metadata service answered {answer.status} and no token")
        return token


def _interruption(answer: Answer) -> Notice:
    told = _object(answer)
    action, moment = str(told.get("action", ""))[:40], str(told.get("time", ""))[:40]
    return Notice(
        cloud="aws",
        kind=action,
        deadline=time.monotonic() + _seconds_left(moment, answer),
        id=f"{action} {moment}",
        reason=f"aws: {action} at {moment}",
        is_departure=action in LEAVING_ACTIONS,
    )


def _recommendation(answer: Answer) -> Notice:
    moment = str(_object(answer).get("noticeTime", ""))[:40]
    return Notice(
        cloud="aws",
        kind="rebalance",
        deadline=time.monotonic(),
        id=f"rebalance {moment}",
        reason=f"aws: rebalance recommended since {moment}",
        is_departure=False,
    )


def _object(answer: Answer) -> Mapping[str, object]:
    try:
        return parse_object(answer.body, "the answer of the metadata service")
    except BadInput as error:
        raise NoAnswer(str(error)) from error


def _seconds_left(moment: str, answer: Answer) -> float:
    """0 when the time cannot be read."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return answer.seconds_until(at if at.tzinfo else at.replace(tzinfo=UTC))
