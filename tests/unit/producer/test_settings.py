"""What a producer is told by its environment."""

from producer.settings import Settings


def test_an_empty_variable_is_not_set():
    """An empty cache folder would be the working folder."""
    given = {"TILEFLEET_PRODUCER_CACHE_FOLDER": "", "TILEFLEET_PRODUCER_PROCESSES": ""}
    assert Settings.from_env(given) == Settings.from_env({})
