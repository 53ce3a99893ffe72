"""What fleetctl takes from the environment."""

from __future__ import annotations

import pytest

from contract.errors import BadInput
from fleetctl.settings import Settings


def test_settings_come_from_variables_of_their_name():
    environ = {"TILEFLEET_FLEETCTL_CONNECTIONS": "3", "TILEFLEET_CONSUMER_THREADS": "1", "HOME": "/"}
    assert Settings.from_env(environ).connections == 3
    assert Settings.from_env({}) == Settings()


def test_all_wrong_values_are_named_at_once():
    environ = {"TILEFLEET_FLEETCTL_CONNECTIONS": "many", "TILEFLEET_FLEETCTL_REFRESH_SECONDS": "0"}
    with pytest.raises(BadInput) as caught:
        Settings.from_env(environ)
    assert "TILEFLEET_FLEETCTL_CONNECTIONS" in str(caught.value)
    assert "TILEFLEET_FLEETCTL_REFRESH_SECONDS" in str(caught.value)


def test_a_misspelt_variable_is_an_error():
    with pytest.raises(BadInput, match="did you mean TILEFLEET_FLEETCTL_CONNECTIONS"):
        Settings.from_env({"TILEFLEET_FLEETCTL_CONECTIONS": "3"})
