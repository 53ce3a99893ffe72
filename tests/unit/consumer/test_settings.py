"""A worker's settings: what they accept, and that every problem is said at once."""

from __future__ import annotations

import pytest

from consumer.settings import Settings
from contract.errors import BadInput


@pytest.mark.parametrize(
    ("text", "in_bytes"), [("8G", 8 * 1024**3), ("500M", 500 * 1024**2), ("1.5 GiB", 3 * 2**29)]
)
def test_amounts_of_memory(text, in_bytes):
    assert Settings.from_env({}, memory_bytes=text).memory_bytes == in_bytes


def test_a_share_of_memory_is_of_this_machines():
    half, all_of_it = (Settings.from_env({}, memory_bytes=share).memory_bytes for share in ("50%", "100 %"))
    assert abs(all_of_it - 2 * half) <= 1


@pytest.mark.parametrize("text", ["inf%", "nan%", "%", "-5G", "much", "", "9" * 400])
def test_what_is_no_amount_of_memory_is_said_so(text):
    with pytest.raises(BadInput, match="no amount of memory"):
        Settings.from_env({}, memory_bytes=text)


def test_an_empty_variable_is_not_set():
    """An empty halt file would be the working folder, and an eviction."""
    environ = {f"TILEFLEET_CONSUMER_{name}": "" for name in ("HALT_FILE", "WEIGHTS", "MOST_TILES", "DEVICE")}
    assert Settings.from_env(environ, threads=1) == Settings(threads=1)


@pytest.mark.parametrize("seconds", ["inf", "1e12"])
@pytest.mark.parametrize("field", [name for name in Settings.model_fields if name.endswith("_seconds")])
def test_no_pause_or_limit_is_endless_or_longer_than_a_thread_can_wait(field, seconds):
    with pytest.raises(BadInput, match=field):
        Settings.from_env({f"TILEFLEET_CONSUMER_{field.upper()}": seconds})


def test_all_problems_are_listed_at_once():
    environ = {"TILEFLEET_CONSUMER_LEASE_SECONDS": "soon", "TILEFLEET_CONSUMER_MOST_TILES": "0"}
    with pytest.raises(BadInput) as caught:
        Settings.from_env(environ, worker="no spaces")
    for word in ("lease_seconds", "most_tiles"):
        assert word in str(caught.value)


def test_the_command_line_goes_before_the_environment():
    environ = {"TILEFLEET_CONSUMER_GRACE_SECONDS": "7", "TILEFLEET_CONSUMER_WORKER": "w1"}
    settings = Settings.from_env(environ, worker="w2", grace_seconds=None)
    assert (settings.worker, settings.grace_seconds) == ("w2", 7.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("notices", "gcp"),
        ("metadata_url", "169.254.169.254"),
        ("metadata_url", "http://user:word@host"),
        ("vm", "../other"),
        ("boot_id", "a b"),
    ],
)
def test_what_cannot_name_a_cloud_or_machine_is_said_so(field, value):
    with pytest.raises(BadInput, match=field):
        Settings.from_env({}, **{field: value})
