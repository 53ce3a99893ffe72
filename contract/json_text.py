"""JSON as the parts exchange it: ASCII, compact, sorted keys, no NaN, refused when it is not an object."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from contract.errors import BadInput


def to_text(value: object) -> str:
    """One line. Control characters are escaped: an unescaped one makes Azurite fail every receive."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)


def to_bytes(value: object) -> bytes:
    return to_text(value).encode("ascii")


def parse_object(text: str | bytes, what: str) -> dict[str, Any]:
    """The JSON object in `text`; BadInput that names `what` otherwise."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{what} is not JSON: {str(error)[:120]}") from error
    if not isinstance(value, dict):
        raise BadInput(f"{what} is not a JSON object")
    return value


def short_digest(value: object, length: int = 8) -> str:
    """The first hex digits of the SHA-256 of a value's JSON text."""
    return hashlib.sha256(to_bytes(value)).hexdigest()[:length]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
