"""A worker that starts before its machine's identity has a token, and one that will never get any."""

from __future__ import annotations

import pytest

from consumer.first_question import await_token
from contract.errors import NotAllowed, NoToken


class Storage:
    def __init__(self, *refusals):
        self.refusals = list(refusals)
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.refusals:
            raise self.refusals.pop(0)


def test_a_token_that_is_late_is_waited_for(capsys):
    storage = Storage(NoToken("no request was sent"), NoToken("no request was sent"))
    await_token(storage, limit_seconds=60, pause_seconds=0)
    assert storage.asked == 3
    assert capsys.readouterr().err.count("no request was sent; asked again") == 2


@pytest.mark.parametrize(("refusal", "limit_seconds"), [(NotAllowed("403"), 60), (NoToken("none"), 0)])
def test_a_missing_role_is_told_at_once_and_so_is_all_to_a_person(refusal, limit_seconds):
    storage = Storage(refusal, refusal)
    with pytest.raises(type(refusal)):
        await_token(storage, limit_seconds=limit_seconds, pause_seconds=0)
    assert storage.asked == 1
