"""Preemption on Google Cloud: one value that turns from FALSE to TRUE, waited for; thirty seconds follow."""

from __future__ import annotations

import time
from urllib.parse import quote

from consumer.notices.metadata import Metadata
from consumer.notices.notice import NoAnswer, Notice

DEFAULT_URL = "http://metadata.google.internal"
PATH = "/computeMetadata/v1/instance/preempted"
FLAVOUR = "Metadata-Flavor"
HEADERS = {FLAVOUR: "Google"}
NOTICE_SECONDS = 30.0
WAIT_SECONDS = 30
"""The service answers after that long at the latest, changed or not."""
TIMEOUT_SECONDS = 10.0


class GooglePreemption:
    """Implements NoticeSource."""

    pause_seconds = 1.0
    """The waiting happens in the question itself; this only spares a service that does not wait."""
    longest_poll_seconds = 2 * (WAIT_SECONDS + TIMEOUT_SECONDS)

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._etag = ""

    def poll(self) -> list[Notice]:
        """The preemption, once; empty after every wait without one."""
        query, timeout_seconds = "", TIMEOUT_SECONDS
        if self._etag:
            query = f"?wait_for_change=true&timeout_sec={WAIT_SECONDS}&last_etag={quote(self._etag, safe='')}"
            timeout_seconds += WAIT_SECONDS
        answer = self._metadata.ask(PATH + query, headers=HEADERS, timeout_seconds=timeout_seconds)
        text = answer.body[:20].decode("ascii", "replace").strip()
        is_google = answer.headers.get(FLAVOUR) == HEADERS[FLAVOUR]
        if answer.status != 200 or not is_google or text not in {"TRUE", "FALSE"}:
            self._etag = ""
            raise NoAnswer(
                f"{PATH}: the metadata service answered {answer.status} and neither TRUE nor FALSE"
            )
        is_news = answer.headers.get("ETag", "") != self._etag or not self._etag
        self._etag = answer.headers.get("ETag", "")
        return [_preempted()] if text == "TRUE" and is_news else []


def _preempted() -> Notice:
    return Notice(
        cloud="google",
        kind="preempted",
        deadline=time.monotonic() + NOTICE_SECONDS,
        id="preempted",
        reason=f"google: preempted, gone within {NOTICE_SECONDS:g} s",
        is_departure=True,
    )
