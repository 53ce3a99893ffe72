"""The listing's XML as the service writes it, and pages that are fetched one ahead."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from xml.etree.ElementTree import fromstring

import pytest

from contract.blob_stores.list_page import blobs_of_page, one_ahead

ANSWER = """<?xml version="1.0" encoding="utf-8"?>
<EnumerationResults ServiceEndpoint="https://a.blob.core.windows.net/" ContainerName="c"><Prefix>d/</Prefix>
<Blobs>
  <Blob><Name>d/a.npy</Name><Properties><Creation-Time>Sun, 01 Mar 2026 11:00:00 GMT</Creation-Time>
    <Last-Modified>Sun, 01 Mar 2026 12:34:56 GMT</Last-Modified><Etag>0x8DE</Etag>
    <Content-Length>3145728</Content-Length><Content-Type>application/octet-stream</Content-Type>
    <Content-MD5>XrY7u+Ae7tCTyyK7j1rNww==</Content-MD5><BlobType>BlockBlob</BlobType></Properties>
    <Metadata><tile>grid_0.05_0.05</tile><generation>2</generation></Metadata><OrMetadata /></Blob>
  <Blob><Name Encoded="true">d/%EF%BF%BEodd</Name><Properties>
    <Last-Modified>Wed, 31 Dec 2025 23:59:59 GMT</Last-Modified>
    <Etag>"0x8DF"</Etag><Content-Length>0</Content-Length><Content-MD5 /></Properties><Metadata /></Blob>
</Blobs><NextMarker>more</NextMarker></EnumerationResults>"""


def test_every_field_that_we_promise_is_read():
    first, odd = blobs_of_page(fromstring(ANSWER))
    assert (first.name, first.length, first.etag) == ("d/a.npy", 3145728, '"0x8DE"')
    assert first.modified == datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
    assert first.md5.hex() == "5eb63bbbe01eeed093cb22bb8f5acdc3"
    assert first.metadata == {"tile": "grid_0.05_0.05", "generation": "2"}
    assert (odd.name, odd.length, odd.etag, odd.md5, odd.metadata) == ("d/\ufffeodd", 0, '"0x8DF"', None, {})


def test_an_empty_page_has_no_blobs():
    assert (
        list(blobs_of_page(fromstring("<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>")))
        == []
    )
    assert list(blobs_of_page(fromstring("<EnumerationResults />"))) == []


def test_the_next_page_is_fetched_while_one_is_used():
    fetched = threading.Event()

    def pages():
        yield "first"
        fetched.set()
        yield "second"

    ahead = one_ahead(pages())
    assert next(ahead) == "first"
    assert fetched.wait(10)
    assert list(ahead) == ["second"]


def test_what_goes_wrong_with_a_page_is_raised_after_the_pages_before_it():
    def pages():
        yield "first"
        raise ConnectionError("cut")

    seen = []
    with pytest.raises(ConnectionError, match="cut"):
        seen.extend(one_ahead(pages()))
    assert seen == ["first"]
