"""How the program ends when it could not even begin: systemd and the supervisor act on the status."""

from __future__ import annotations

import pytest
import typer

from consumer.cli import said_in_one_sentence
from consumer.exit_codes import ExitCode
from consumer.slot_deaths import Restart, judge_death
from contract.errors import BadInput, NotAllowed, NotFound, NoToken, StorageUnavailable


@pytest.mark.parametrize(
    ("error", "code", "is_tried_again"),
    [
        (BadInput("no such fleet"), ExitCode.BAD_INPUT, False),
        (NotAllowed("403"), ExitCode.BAD_INPUT, False),
        (NotFound("no such queue"), ExitCode.BAD_INPUT, False),
        (StorageUnavailable("no answer"), ExitCode.FAULT, True),
        (NoToken("no request was sent"), ExitCode.FAULT, True),
    ],
)
def test_a_worker_that_found_no_storage_is_started_again_and_one_with_a_mistake_is_not(
    capsys, error, code, is_tried_again
):
    with pytest.raises(typer.Exit) as ended, said_in_one_sentence():
        raise error
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == f"consumer: {error}\n"
    assert isinstance(judge_death(code, [], 0.0), Restart) is is_tried_again
