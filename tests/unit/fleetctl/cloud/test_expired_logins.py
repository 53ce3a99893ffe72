"""A login that has expired: the call, the command that mends it, and that running machines are not touched."""

from typing import ClassVar

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from fleetctl.cloud.azure import AzureMachines
from fleetctl.cloud.clients import NoCredential
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.cloud.place import Place
from tests.unit.fleetctl.cloud.scripted_manager import scripted_manager

NOBODY = "https://127.0.0.1:9"
"""Never reached: without a token nothing is asked."""


class TokenAnswer:
    """Of the service that gives out tokens, whose errors are not shaped like Resource Manager's."""

    status_code = 400
    reason = "Bad Request"
    headers: ClassVar = {}

    def text(self):
        return (
            '{"error": "invalid_grant", "error_description": "AADSTS700082: the refresh token has expired"}'
        )


class NoToken:
    """A credential that has none."""

    def __init__(self, error):
        self.error = error

    def get_token(self, *_scopes, **_options):
        raise self.error


def refusal(url, credential):
    machines = AzureMachines(Place("uk", "00000000-0000-0000-0000-000000000000", "uk", {}, url), credential)
    with pytest.raises(Refused) as caught:
        machines.start("uk-a10-0001")
    return caught.value


def test_an_expired_token_is_told_with_the_call_and_what_mends_it():
    text = "The access token expiry UTC time '11/20/2026' is earlier than current UTC time."
    with scripted_manager() as manager:
        manager.when(
            "POST", "/start", 401, {"error": {"code": "ExpiredAuthenticationToken", "message": text}}
        )
        refused = refusal(manager.url, NoCredential())
    assert refused.kind is Refusal.NOT_ALLOWED
    assert refused.text == (
        f"starting uk-a10-0001: {text.rstrip('.')}; sign in again with `az login`. Machines that run go on"
    )


@pytest.mark.parametrize(
    "error",
    [
        CredentialUnavailableError("Please run 'az login' to set up an account"),
        ClientAuthenticationError("AADSTS700082: the refresh token has expired", response=TokenAnswer()),
    ],
)
def test_no_token_at_all_is_told_likewise_and_is_no_trouble_of_the_cloud(error):
    refused = refusal(NOBODY, NoToken(error))
    assert refused.kind is Refusal.NOT_ALLOWED
    assert refused.mend == "az login"
    assert refused.text.startswith(f"starting uk-a10-0001: {error.message}; sign in again with `az login`")
