"""What the adapters repeat and what they never repeat, against a service that fails on purpose."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from contract.azure_clients import (
    EMULATOR_ACCOUNT_KEY,
    RETRIES,
    RETRY_BUDGET_SECONDS,
    AzureClients,
    StorageEndpoints,
    _ShortBlobRetries,
)
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import NotAllowed, StorageUnavailable
from contract.tile_queues.azure import AzureTileQueue

SENT = (
    b'<?xml version="1.0"?><QueueMessagesList><QueueMessage><MessageId>1</MessageId>'
    b"<InsertionTime>Sun, 22 Nov 2026 13:23:12 GMT</InsertionTime>"
    b"<ExpirationTime>Sun, 22 Nov 2026 13:23:12 GMT</ExpirationTime><PopReceipt>p</PopReceipt>"
    b"<TimeNextVisible>Sun, 22 Nov 2026 13:23:12 GMT</TimeNextVisible></QueueMessage></QueueMessagesList>"
)


ONE_BLOB = (
    b'<?xml version="1.0"?><EnumerationResults><Blobs><Blob><Name>a</Name><Properties>'
    b"<Last-Modified>Sun, 22 Nov 2026 13:23:12 GMT</Last-Modified><Etag>e</Etag>"
    b"<Content-Length>3</Content-Length></Properties></Blob></Blobs>%s</EnumerationResults>"
)


class Scripted:
    """A service that gives its answers in turn: (status, body), or None to close the connection unanswered."""

    def __init__(self):
        self.answers = []
        self.headers = {"Content-Type": "application/xml", "x-ms-request-id": "1"}
        self.requests = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.requests.append(self.command)
                answer = script.answers.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                status, body = answer
                self.send_response(status)
                for name, value in script.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def clients(self):
        url = f"http://127.0.0.1:{self.server.server_address[1]}/devstoreaccount1"
        return AzureClients(StorageEndpoints(url, url, "tests", EMULATOR_ACCOUNT_KEY))


@pytest.fixture
def service() -> Iterator[Scripted]:
    scripted = Scripted()
    thread = threading.Thread(target=scripted.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield scripted
    scripted.server.shutdown()
    scripted.server.server_close()
    thread.join()


@pytest.mark.parametrize("failure", [(503, b""), (500, b""), None])
def test_a_send_is_repeated_after_a_failure(service, failure):
    service.answers = [failure, (201, SENT)]
    AzureTileQueue(service.clients, "tiles").send("x")
    assert service.requests == ["POST", "POST"]


@pytest.mark.parametrize("failure", [(503, b""), (500, b""), None])
def test_each_page_of_a_listing_is_asked_again_after_a_failure(service, failure):
    pages = (200, ONE_BLOB % b"<NextMarker>b</NextMarker>"), (200, ONE_BLOB % b"<NextMarker/>")
    service.answers = [failure, pages[0], failure, failure, pages[1]]
    assert [blob.length for blob in AzureBlobStore(service.clients).listing("")] == [3, 3]
    assert len(service.requests) == 5


def test_a_call_gives_up_after_its_retries(service):
    service.answers = [(503, b"")] * 9
    with pytest.raises(StorageUnavailable, match="writing a: 503"):
        AzureBlobStore(service.clients).put("a", b"x")
    assert len(service.requests) == RETRIES + 1


@pytest.mark.parametrize("failure", [(503, b""), (500, b""), None])
def test_a_receive_that_arrived_is_never_repeated(service, failure):
    service.answers = [failure, (200, b'<?xml version="1.0"?><QueueMessagesList/>')]
    with pytest.raises(StorageUnavailable, match="receiving from queue tiles"):
        AzureTileQueue(service.clients, "tiles").receive(1, 60)
    assert service.requests == ["GET"]


def test_a_refusal_is_not_repeated(service):
    service.answers = [(403, b"")] * 9
    with pytest.raises(NotAllowed):
        AzureBlobStore(service.clients).put("a", b"x")
    assert len(service.requests) == 1


def test_an_answer_that_is_no_xml_is_unavailable_and_not_an_empty_queue(service):
    service.answers = [(200, b"<QueueMessagesList><Queue")]
    with pytest.raises(StorageUnavailable):
        AzureTileQueue(service.clients, "tiles").receive(1, 60)


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("kind", ["text/html", "application/xml"])
def test_a_page_of_a_proxy_is_no_answer_of_the_storage(service, tmp_path, status, kind):
    service.headers = {"Content-Type": kind}
    store, queue = AzureBlobStore(service.clients), AzureTileQueue(service.clients, "tiles")
    looks = [
        lambda: store.read("a"),
        lambda: store.read_from("a", 0),
        lambda: store.download("a", tmp_path / "a"),
        lambda: store.info("a"),
        lambda: list(store.listing("")),
        lambda: list(store.names("")),
        lambda: store.delete("a"),
        queue.depth,
        lambda: queue.receive(1, 60),
    ]
    for look in looks:
        service.answers = [(status, b"<html>welcome</html>")]
        with pytest.raises(StorageUnavailable, match=r"127.0.0.1:\d+ does not answer as a storage service"):
            look()
    assert list(tmp_path.iterdir()) == []


def test_no_retry_begins_after_the_calls_budget():
    policy = _ShortBlobRetries(retry_total=RETRIES)
    settings = {
        "total": 3,
        "connect": 3,
        "read": 3,
        "status": 3,
        "count": 0,
        "history": [],
        "retry_secondary": False,
    }

    class Request:
        method, body = "PUT", None

    fresh = {**settings, "began": time.monotonic()}
    spent = {**settings, "began": time.monotonic() - RETRY_BUDGET_SECONDS}
    assert policy.increment(fresh, request=Request())
    assert not policy.increment(spent, request=Request())
