"""Gives orders to the laptop cloud that runs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

from contract.errors import BadInput

CONTROL_FILE = "control.json"
ORDERS_PATH = "/orders"
ANSWER_SECONDS = 90
"""An eviction without notice is answered when the VM is gone."""


def order(home: Path, name: str, **arguments: Any) -> Any:
    """Have it carried out; its answer. BadInput when none runs in `home`, or says why it cannot."""
    try:
        known = json.loads((home / CONTROL_FILE).read_text())
    except FileNotFoundError:
        raise BadInput(f"no laptop cloud runs in {home}: start one with `laptop-cloud up`") from None
    request = urllib.request.Request(
        f"{known['url']}{ORDERS_PATH}",
        data=json.dumps({"order": name, "arguments": arguments}).encode(),
        headers={"Authorization": f"Bearer {known['token']}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise BadInput(error.read().decode(errors="replace")) from error
    except (OSError, HTTPException) as error:  # refused, cut in the middle because it ends now, or too late
        raise BadInput(
            f"the laptop cloud of {home} does not answer ({error}): start it again if it has ended"
        ) from error
