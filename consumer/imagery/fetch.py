"""Bytes of a scene's file, however often its storage has to be asked: throttling and ended tokens pass.

A refusal that passes is waited out for a minute, and then the tile goes back to its queue. Only what
will never pass is a loss.
"""

from __future__ import annotations

import random
from urllib.parse import urlsplit

from consumer.imagery.answers import Verdict, judge, next_try
from consumer.imagery.connections import Answer, Connections
from consumer.imagery.losses import FileLost
from consumer.imagery.sign import Signer, without_token
from consumer.imagery.tally import Tally
from consumer.imagery.turns import Turns
from contract.errors import Stopped, TryLater

WHY = {
    Verdict.EXPIRED: "its storage refuses our token, also a new one",
    Verdict.THROTTLED: "its storage throttles us",
    Verdict.FAILING: "its storage fails or is out of reach",
}
_COMPLAINTS = (Verdict.THROTTLED, Verdict.FAILING)


class Fetcher:
    """Gets ranges of files; safe to share between threads."""

    def __init__(self, signer: Signer, turns: Turns | None = None) -> None:
        self._signer = signer
        self._turns = turns or Turns()
        self._connections = Connections()

    def get(self, href: str, first: int, last: int, tally: Tally) -> Answer:
        """Bytes first..last of the file, or as many of them as it has.

        FileLost when it is not there; TryLater when its storage still refuses after
        answers.PATIENCE_SECONDS; Stopped when the tally's `stop` is set meanwhile.
        """
        waited, attempt = 0.0, 0
        while True:
            signed = self._signer.sign(href)
            answer = self._ask(signed, first, last, tally)
            verdict = judge(answer.status)
            tally.add(verdict, len(answer.body))
            if verdict is Verdict.READABLE:
                return _with_its_place(href, answer, first)
            if verdict in (Verdict.MISSING, Verdict.FOREIGN):
                raise FileLost(
                    "missing" if verdict is Verdict.MISSING else "unreadable",
                    f"{without_token(href)}: {answer.detail}",
                )
            if verdict is Verdict.EXPIRED:
                self._signer.renew(signed)
                if attempt == 0:
                    attempt = 1
                    continue  # at once, with the new token
            again = next_try(attempt, waited, random.random(), answer.retry_after_seconds)
            if again.seconds is None:
                raise TryLater(
                    f"{without_token(href)} was asked for {attempt + 1} times in {waited:.0f} s, and "
                    f"{WHY[verdict]}: {answer.detail}; the tile waits for its source"
                )
            if tally.stop.wait(again.seconds):
                raise Stopped(f"stopped reading {without_token(href)} after {attempt + 1} tries")
            waited, attempt = waited + again.seconds, attempt + 1

    def _ask(self, signed: str, first: int, last: int, tally: Tally) -> Answer:
        with self._turns.turn(urlsplit(signed).netloc, tally.stop) as turn:
            answer = self._connections.get(signed, first, last)
            turn.answered_bytes = len(answer.body)
            turn.is_complaint = judge(answer.status) in _COMPLAINTS
            turn.retry_after_seconds = answer.retry_after_seconds
        return answer


def _with_its_place(href: str, answer: Answer, first: int) -> Answer:
    if answer.first_byte != first:
        raise FileLost("unreadable", f"{without_token(href)}: its storage does not answer byte ranges")
    return answer
