"""Long listings in pages: where a page begins is in its link, so that what comes or goes meanwhile skips nobody."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, TypeVar

from yarl import URL

from laptop_cloud.resource_manager.problems import mistake

PAGE_ITEMS = 250
TOKEN = "$skiptoken"  # noqa: S105 - a place in a listing
Item = TypeVar("Item")


def page(items: Iterable[tuple[str, Item]], token: str, size: int = PAGE_ITEMS) -> tuple[list[Item], str]:
    """The items after `token`, in the order of their keys, and the token of the next page; empty: the last one."""
    after = _key_of(token) if token else ""
    rest = sorted((pair for pair in items if pair[0] > after), key=lambda pair: pair[0])
    chosen = rest[:size]
    next_token = _token_of(chosen[-1][0]) if len(rest) > size else ""
    return [item for _, item in chosen], next_token


def answer(asked: URL, rows: list[dict[str, Any]], token: str) -> dict[str, Any]:
    """One page as Azure sends it. Its link asks the same question, from there on."""
    if not token:
        return {"value": rows}
    return {"value": rows, "nextLink": str(asked.update_query({TOKEN: token}))}


def _token_of(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _key_of(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise mistake("InvalidParameter", f"The value of {TOKEN} is invalid.") from error
