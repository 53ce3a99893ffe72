"""Log lines: the same fields from every thread, and no secrets in any."""

from __future__ import annotations

import io
import json
import threading

import pytest
import structlog

from contract.log_lines import TILE_SETTLED, set_up_logging


@pytest.fixture
def lines():
    stream = io.StringIO()
    set_up_logging(stream=stream, bound={"worker": "w1"})
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()


def test_a_line_written_in_a_thread_says_who_wrote_it(lines):
    log = structlog.get_logger()
    thread = threading.Thread(target=lambda: log.info(TILE_SETTLED, tile="grid_0.05_0.05"))
    thread.start()
    thread.join()
    (line,) = lines()
    assert (line["event"], line["worker"], line["tile"]) == (TILE_SETTLED, "w1", "grid_0.05_0.05")


def test_secrets_are_hidden_by_the_names_of_their_fields_and_in_addresses(lines):
    address = "https://a.blob.core.windows.net/c/b.tif?se=2026&sig=abc%3D"
    structlog.get_logger().info("read", account_key="very secret", href=address)
    text = json.dumps(lines())
    assert "very secret" not in text
    assert "abc%3D" not in text
    assert "https://a.blob.core.windows.net/c/b.tif" in text
