"""One page of a container's listing: the service's XML, read without the SDK's objects, which cost ten times more."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from contract.blob_store import BlobInfo

Page = TypeVar("Page")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, start=1)}


def blobs_of_page(answer: Element) -> Iterator[BlobInfo]:
    """Every blob of an answer to List Blobs, in its order."""
    blobs = answer.find("Blobs")
    for blob in blobs.iterfind("Blob") if blobs is not None else ():
        yield _blob(blob)


def one_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """The same pages, the next one being fetched while one is used. Its errors are raised where it is awaited."""
    with ThreadPoolExecutor(1, thread_name_prefix="listing") as pool:
        coming = pool.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = pool.submit(next, pages, None)
            yield page


def quoted(etag: str) -> str:
    """Listings give ETags bare, headers give them quoted; conditions want the quotes."""
    return etag if etag.startswith('"') else f'"{etag}"'


def _blob(blob: Element) -> BlobInfo:
    name = length = etag = modified = ""
    md5 = None
    metadata: dict[str, str] = {}
    for part in blob:
        if part.tag == "Name":
            # Names that XML cannot hold come percent-encoded, and say so.
            name = unquote(part.text or "") if part.get("Encoded") == "true" else part.text or ""
        elif part.tag == "Properties":
            properties = {one.tag: one.text for one in part}
            length = properties["Content-Length"] or ""
            etag = properties["Etag"] or ""
            modified = properties["Last-Modified"] or ""
            md5 = properties.get("Content-MD5")
        elif part.tag == "Metadata":
            metadata = {one.tag: one.text or "" for one in part}
    return BlobInfo(
        name=name,
        length=int(length),
        etag=quoted(etag),
        modified=_utc(modified),
        md5=base64.b64decode(md5) if md5 else None,  # None where the writer gave none
        metadata=metadata,
    )


def _utc(text: str) -> datetime:
    """Of an HTTP date, `Sun, 01 Mar 2026 12:00:00 GMT`, always laid out so: ten times as fast as a parser."""
    return datetime(
        int(text[12:16]),
        _MONTH_NUMBERS[text[8:11]],
        int(text[5:7]),
        int(text[17:19]),
        int(text[20:22]),
        int(text[23:25]),
        tzinfo=UTC,
    )
