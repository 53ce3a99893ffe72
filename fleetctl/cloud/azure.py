"""The fleet's machines by Azure Resource Manager. Keeps the promises of `machines.py`: no call waits or retries.

States come from one paged listing of the whole subscription (`statusOnly`), which tells neither tags nor, for
certain, sizes; those never change, so the full listing is read only when a machine appears that is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.compute.models import VirtualMachine

from contract.broken_connection import broken_connection
from fleetctl.cloud.api_errors import Answer, read_answer, refused
from fleetctl.cloud.clients import RatesSeen, compute_client
from fleetctl.cloud.create_body import FLEET_TAG, NETWORK_API_VERSION, vm_body
from fleetctl.cloud.listing import VmDetails, details_of, group_of, owner_of, pool_in_name, vm_seen
from fleetctl.cloud.machines import NewVm, RateLeft, Refusal, Refused
from fleetctl.cloud.permissions import Permission, is_action_allowed
from fleetctl.cloud.place import Place
from fleetctl.cloud.skus import SizeSeen, sizes_seen
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import Quota, VmSeen

QUOTA_NAMES = {Priority.SPOT: "lowprioritycores", Priority.REGULAR: "cores"}
PERMISSIONS_API_VERSION = "2022-04-01"
API_VERSIONS = {
    "microsoft.compute/disks": "2025-01-02",
    "microsoft.network/networkinterfaces": NETWORK_API_VERSION,
}
"""Of what `delete_resource` may be asked for."""


@dataclass
class AzureMachines:
    """Implements `machines.Machines`; may be used from several threads."""

    place: Place
    credential: TokenCredential
    _rates: RatesSeen = field(default_factory=RatesSeen)
    _details: dict[str, VmDetails] = field(default_factory=dict)
    """By lower-cased id."""

    def __post_init__(self) -> None:
        place = self.place
        self._client = compute_client(place.subscription, self.credential, place.url, self._rates)

    @property
    def rate_left(self) -> RateLeft:
        return self._rates.left

    def list_states(self) -> Iterator[VmSeen]:
        """See `machines.py`. Also those that carry the tag under a name that is none of ours."""
        with _calling("listing the machines"):
            listed = {
                vm["id"].lower(): vm for vm in self._client.virtual_machines.list_all(status_only="true")
            }
        ours = {key: vm for key, vm in listed.items() if self._is_in_group(key)}
        if any(key not in self._details for key in ours):
            self._read_details()
        for key, vm in ours.items():
            pool, details = pool_in_name(str(vm["name"]).lower(), self.place.fleet), self._details.get(key)
            if details.fleet == self.place.fleet if details else pool:
                yield vm_seen(vm, pool, self._offer(vm, pool, details))

    def create(self, vm: NewVm) -> None:
        """See `machines.py`."""
        body = vm_body(replace(vm, tags={**vm.tags, FLEET_TAG: self.place.fleet}))
        try:
            with _calling(f"creating {vm.name}", is_create=True):
                self._client.virtual_machines.begin_create_or_update(
                    self.place.resource_group,
                    vm.name,
                    VirtualMachine(body),
                    match_condition=MatchConditions.IfMissing,
                    polling=False,
                )
        except Refused as error:
            if error.code not in ALREADY_THERE:
                raise

    def start(self, name: str) -> None:
        """See `machines.py`."""
        with _calling(f"starting {name}"):
            self._client.virtual_machines.begin_start(self.place.resource_group, name, polling=False)

    def deallocate(self, name: str) -> None:
        """See `machines.py`."""
        with _calling(f"deallocating {name}"):
            self._client.virtual_machines.begin_deallocate(self.place.resource_group, name, polling=False)

    def delete(self, name: str) -> None:
        """See `machines.py`. Without an orderly shutdown: what a worker holds is safe in the storage."""
        with _calling(f"deleting {name}"), _gone_is_fine():
            self._client.virtual_machines.begin_delete(
                self.place.resource_group, name, force_deletion=True, polling=False
            )

    def delete_resource(self, resource_id: str) -> None:
        """See `machines.py`."""
        kind = "/".join(resource_id.lower().split("/providers/")[-1].split("/")[:2])
        version = API_VERSIONS.get(kind)
        if version is None:
            raise Refused(Refusal.MISTAKE, "", f"{resource_id} is neither a disk nor an interface")
        with _calling(f"deleting {resource_id}"), _gone_is_fine():
            self._ask("DELETE", resource_id, version)

    def leaks(self) -> Iterator[str]:
        """See `machines.py`. Resources are listed before the machines, so that none of a new machine looks lost."""
        unused = [*self._unused_disks(), *self._unused_interfaces()]
        names = {vm.name for vm in self.list_states()}
        for resource_id in unused:
            owner = owner_of(resource_id.rpartition("/")[2])
            if owner not in names:
                yield resource_id

    def quota(self, region: str, priority: Priority) -> Quota:
        """See `machines.py`. Deallocated machines count as used."""
        with _calling(f"reading the quota of {region}"):
            for usage in self._client.usage.list(region):
                if str(usage["name"]["value"]).lower() == QUOTA_NAMES[priority]:
                    return Quota(int(usage["limit"]), int(usage["currentValue"]))
        raise Refused(Refusal.TROUBLE, "", f"{region} tells no quota named {QUOTA_NAMES[priority]}")

    def sizes(self, region: str) -> Mapping[str, SizeSeen]:
        """What a region offers this subscription, by size in lower case."""
        with _calling(f"reading the sizes of {region}"):
            return sizes_seen(self._client.resource_skus.list(filter=f"location eq '{region}'"), region)

    def is_allowed(self, needed: Permission) -> bool | None:
        """Whether we may do that; None where Resource Manager does not tell."""
        path = f"{needed.scope}/providers/Microsoft.Authorization/permissions"
        try:
            with _calling(f"reading our permissions on {needed.scope}"):
                answer = self._ask("GET", path, PERMISSIONS_API_VERSION)
        except Refused as error:
            if error.kind is Refusal.GONE:
                return None
            raise
        return is_action_allowed(needed.action, answer.get("value") or ())

    def simulate_eviction(self, name: str) -> None:
        """See `machines.py`."""
        with _calling(f"evicting {name}"):
            self._client.virtual_machines.simulate_eviction(self.place.resource_group, name)

    def _is_in_group(self, key: str) -> bool:
        return group_of(key) == self.place.resource_group.lower()

    def _read_details(self) -> None:
        with _calling("listing the machines' sizes and tags"):
            listed = self._client.virtual_machines.list(self.place.resource_group)
            self._details = {vm["id"].lower(): details_of(vm) for vm in listed}

    def _offer(self, vm: Mapping[str, Any], pool: str, details: VmDetails | None) -> Offer:
        expected = self.place.offers.get(pool, Offer("", "", Priority.SPOT))
        region = str(vm.get("location") or expected.region).lower().replace(" ", "")
        if details is None or not details.size:
            return Offer(region, expected.size, expected.priority)
        return Offer(region, details.size, details.priority)

    def _unused_disks(self) -> Iterator[str]:
        with _calling("listing the disks"):
            for disk in self._client.disks.list_by_resource_group(self.place.resource_group):
                if not disk.get("managedBy") and self._is_ours(disk):
                    yield str(disk["id"])

    def _unused_interfaces(self) -> Iterator[str]:
        """By plain requests: a package of its own, of a hundred megabytes, for one listing would be too much."""
        path = (
            f"/subscriptions/{self.place.subscription}/resourceGroups/{self.place.resource_group}"
            "/providers/Microsoft.Network/networkInterfaces"
        )
        with _calling("listing the network interfaces"):
            page = self._ask("GET", path, NETWORK_API_VERSION)
            while True:
                for interface in page.get("value") or ():
                    if not (interface.get("properties") or {}).get("virtualMachine") and self._is_ours(
                        interface
                    ):
                        yield str(interface["id"])
                if not page.get("nextLink"):
                    return
                page = self._ask("GET", str(page["nextLink"]), "")

    def _is_ours(self, resource: Mapping[str, Any]) -> bool:
        """By its tag, which Azure hands on from the machine; or by its name, which we gave it."""
        is_tagged = (resource.get("tags") or {}).get(FLEET_TAG) == self.place.fleet
        return is_tagged or bool(pool_in_name(owner_of(str(resource["name"])), self.place.fleet))

    def _ask(self, method: str, url: str, api_version: str) -> dict[str, Any]:
        """A request that the compute client has no method for."""
        params = {"api-version": api_version} if api_version else None
        response = self._client.send_request(HttpRequest(method, url, params=params))
        response.raise_for_status()
        return dict(response.json()) if method == "GET" else {}


ALREADY_THERE = frozenset({"PreconditionFailed", "ConditionNotMet", "412", "PropertyChangeNotAllowed"})
"""What a creation meets where a machine of that name exists."""


@contextmanager
def _calling(doing: str, *, is_create: bool = False) -> Iterator[None]:
    """Raise what the SDK raises inside as Refused, naming the call."""
    try:
        yield
    except HttpResponseError as error:
        if (answer := _answer_in(error)) is None:
            raise Refused(Refusal.TROUBLE, "", f"{doing}: {_first_line(error)}") from error
        raise refused(answer, doing, is_create=is_create) from error
    except AzureError as error:
        raise Refused(Refusal.TROUBLE, "", f"{doing}: {broken_connection(error)}") from error


def _answer_in(error: HttpResponseError) -> Answer | None:
    """What Resource Manager answered; None when it did not. Who gives out tokens counts as its 401, whatever that
    one's own status: no token was to be had, so nothing was asked."""
    response: Any = error.response
    answer = (
        None if response is None else read_answer(response.status_code, response.headers, response.text())
    )
    is_without_token = isinstance(error, ClientAuthenticationError) and (answer is None or not answer.code)
    return Answer(401, "", _first_line(error)) if is_without_token else answer


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    """Deleted is what was wanted."""
    try:
        yield
    except HttpResponseError as error:
        if error.status_code != 404:
            raise


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
