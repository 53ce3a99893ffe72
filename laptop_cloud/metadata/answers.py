"""What the metadata service says of a VM besides its events: what it is, and who it is."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

TOKEN_SECONDS = 24 * 3600
SUBSCRIPTION = "00000000-0000-0000-0000-00000000cafe"
TENANT = "00000000-0000-0000-0000-0000000000ad"
CLIENT = "00000000-0000-0000-0000-0000000000c1"


@dataclass(frozen=True, slots=True)
class Instance:
    """One VM as its metadata describe it."""

    name: str
    vm_id: str
    size: str
    location: str
    tags: Mapping[str, str] = field(default_factory=dict)
    resource_group: str = "laptop"

    @property
    def resource_id(self) -> str:
        return (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Compute/virtualMachines/{self.name}"
        )

    def compute(self) -> dict[str, object]:
        """`/metadata/instance/compute`: every value is text, and what there is not is empty text."""
        return {
            "azEnvironment": "AzurePublicCloud",
            "evictionPolicy": "Deallocate",
            "isHostCompatibilityLayerVm": "false",
            "licenseType": "",
            "location": self.location,
            "name": self.name,
            "offer": "",
            "osProfile": {
                "adminUsername": "laptop",
                "computerName": self.name,
                "disablePasswordAuthentication": "true",
            },
            "osType": "Linux",
            "placementGroupId": "",
            "platformFaultDomain": "0",
            "platformUpdateDomain": "0",
            "priority": "Spot",
            "resourceGroupName": self.resource_group,
            "resourceId": self.resource_id,
            "sku": "",
            "subscriptionId": SUBSCRIPTION,
            "tags": ";".join(f"{name}:{value}" for name, value in sorted(self.tags.items())),
            "tagsList": [{"name": name, "value": value} for name, value in sorted(self.tags.items())],
            "version": "",
            "vmId": self.vm_id,
            "vmScaleSetName": "",
            "vmSize": self.size,
            "zone": "",
        }


def token(instance: Instance, resource: str, now: float) -> dict[str, str]:
    """A well-formed token of the VM's identity, which opens nothing. `now`: seconds since 1970."""
    begins, ends = int(now), int(now) + TOKEN_SECONDS
    claims = {
        "aud": resource,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": begins,
        "nbf": begins,
        "exp": ends,
        "appid": CLIENT,
        "tid": TENANT,
        "xms_mirid": instance.resource_id,
    }
    return {
        "access_token": f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(claims)}.",
        "client_id": CLIENT,
        "expires_in": str(TOKEN_SECONDS),
        "expires_on": str(ends),
        "ext_expires_in": str(TOKEN_SECONDS),
        "not_before": str(begins),
        "resource": resource,
        "token_type": "Bearer",
    }


def _encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
