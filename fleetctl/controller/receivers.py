"""Who is told of alerts: a webhook that takes JSON, a command that gets the same on its standard input."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import urllib3

from contract.json_text import to_bytes
from fleetctl.controller.alerts import Tell

WEBHOOK_SECONDS = 10.0
COMMAND_SECONDS = 30.0


class NotTaken(Exception):
    """A receiver did not take an alert; it is told again."""


def receivers(webhook: str, command: Sequence[str]) -> tuple[Tell, ...]:
    """Those that the fleet file names."""
    tells: list[Tell] = []
    if webhook:
        tells.append(lambda facts: post(webhook, facts))
    if command:
        tells.append(lambda facts: run(command, facts))
    return tuple(tells)


def post(url: str, facts: Mapping[str, Any]) -> None:
    """POST as JSON. NotTaken unless the answer is 2xx; the address may be a secret and is in no message."""
    pool = urllib3.PoolManager(retries=False)
    try:
        answer = pool.request(
            "POST",
            url,
            body=to_bytes(dict(facts)),
            headers={"Content-Type": "application/json"},
            timeout=urllib3.Timeout(total=WEBHOOK_SECONDS),
            redirect=False,
        )
    except urllib3.exceptions.HTTPError as error:
        raise NotTaken(f"the webhook did not answer: {type(error).__name__}") from None
    finally:
        pool.clear()
    if not 200 <= answer.status < 300:
        raise NotTaken(f"the webhook answered {answer.status}")


def run(command: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Run without a shell, the alert as JSON on its input. NotTaken unless it ends with 0 in time."""
    try:
        ended = subprocess.run(  # noqa: S603 - the operator's own command, words and not a shell's line
            list(command),
            input=to_bytes(dict(facts)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotTaken(f"{command[0]}: {type(error).__name__}") from error
    if ended.returncode != 0:
        raise NotTaken(f"{command[0]} ended with {ended.returncode}")
