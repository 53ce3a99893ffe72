"""What a person reads when a service cannot be heard, from the exceptions that real clients raise."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from contract.azure_clients import EMULATOR_ACCOUNT_KEY, AzureClients, StorageEndpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.broken_connection import broken_connection
from contract.errors import StorageUnavailable

HALF_AN_ANSWER = (
    b"HTTP/1.1 206 OK\r\nx-ms-request-id: 1\r\nContent-Length: 100\r\n"
    b"Content-Range: bytes 0-99/100\r\n\r\nabc"
)


@pytest.fixture
def port_that_says(request: pytest.FixtureRequest) -> Iterator[int]:
    """Reads each request, sends those bytes, and ends the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # the test is over
                return
            with connection:
                connection.recv(65536)
                connection.sendall(request.param)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def text_of_read(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("contract.azure_clients.RETRIES", 0)
    store = AzureBlobStore(AzureClients(StorageEndpoints(url, url, "tests", EMULATOR_ACCOUNT_KEY)))
    with pytest.raises(StorageUnavailable) as caught:
        store.read("a")
    return str(caught.value)


@pytest.mark.parametrize(
    ("port_that_says", "words"),
    [
        (b"", "cut the connection before it answered; try again later (RemoteDisconnected)"),
        (b"ready\n", "gives no HTTP answers; check its address (BadStatusLine)"),
    ],
    indirect=["port_that_says"],
)
def test_what_became_of_the_connection_is_said_with_the_host_and_what_to_do(
    port_that_says, words, monkeypatch
):
    text = text_of_read(f"http://127.0.0.1:{port_that_says}/devstoreaccount1", monkeypatch)
    assert text == f"reading a: 127.0.0.1:{port_that_says} {words}"


@pytest.mark.parametrize("port_that_says", [HALF_AN_ANSWER], indirect=True)
def test_an_answer_that_breaks_off_is_no_python_text(port_that_says, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the SDK's own pauses between three looks at the bytes
    text = text_of_read(f"http://127.0.0.1:{port_that_says}/devstoreaccount1", monkeypatch)
    assert text == "reading a: the service broke off its answer; try again later (IncompleteRead)"


def test_a_name_without_an_address_is_told_from_a_service_that_is_down(monkeypatch):
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    text = text_of_read("https://nosuchaccount.blob.core.invalid", monkeypatch)
    assert text.startswith("reading a: nosuchaccount.blob.core.invalid has no address here; check its name")


def test_an_exception_of_an_unknown_kind_is_shown_cut():
    assert broken_connection(ValueError("odd " * 100)).startswith("no answer from the service (odd odd ")
    assert len(broken_connection(ValueError("odd " * 100))) < 220
