"""Who gave no token is told apart from who refused one, and from a key that is none."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ChainedTokenCredential, CredentialUnavailableError

from contract.azure_clients import AzureClients, StorageEndpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import NotAllowed, NoToken

HERE = "https://127.0.0.1:9/account"


class Silent:
    """A machine whose identity is not there yet."""

    def get_token(self, *_scopes, **_options):
        raise CredentialUnavailableError("no managed identity endpoint found")


def refusal_of(credential):
    endpoints = StorageEndpoints(HERE, HERE, "c", credential)
    with pytest.raises(NotAllowed, match="check the credential") as refused:
        AzureBlobStore(AzureClients(endpoints)).read("a")
    return refused.value


def test_an_identity_without_a_token_may_have_one_soon():
    chain = ChainedTokenCredential(Silent())
    with pytest.raises(ClientAuthenticationError):
        chain.get_token("scope")
    refusal = refusal_of(chain)
    assert type(refusal) is NoToken
    assert len(str(refusal).splitlines()) == 1, str(refusal)


def test_a_key_that_is_none_stays_one():
    assert type(refusal_of("not base64!")) is NotAllowed
