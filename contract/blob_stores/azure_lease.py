"""A lease on a blob of the account, known to the store that took it: what that store writes carries it."""

from __future__ import annotations

from contextlib import suppress

from azure.storage.blob import BlobLeaseClient

from contract.azure_errors import translated
from contract.errors import AlreadyExists, Changed, NotFound


class AzureLease:
    """A BlobLease."""

    def __init__(self, lease: BlobLeaseClient, name: str, held: dict[str, BlobLeaseClient]) -> None:
        self._lease = lease
        self._name = name
        self._held = held
        held[name] = lease

    def renew(self) -> None:
        if self._held.get(self._name) is not self._lease:
            raise Changed(f"the lease on {self._name} was given back")
        with translated("renewing the lease on", self._name):
            self._lease.renew()

    def release(self) -> None:
        if self._held.get(self._name) is not self._lease:
            return
        del self._held[self._name]
        # When it was lost there is nothing to give back.
        with (
            suppress(AlreadyExists, Changed, NotFound),
            translated("releasing the lease on", self._name),
        ):
            self._lease.release()
