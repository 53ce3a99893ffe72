"""What a machine is asked for with, as Azure's JSON: everything that belongs to it goes when it goes. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from contract.errors import BadInput
from fleetctl.cloud.machines import NewVm
from fleetctl.controller.policy import Priority

FLEET_TAG = "tilefleet-fleet"
ADMIN = "operator"
NETWORK_API_VERSION = "2022-11-01"
MAX_USER_DATA_BYTES = 64 * 1024
_MARKETPLACE = re.compile(r"[\w.-]+:[\w.-]+:[\w.-]+:[\w.-]+", re.ASCII)
_IMAGE_ID = re.compile(
    r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.Compute/\S+", re.IGNORECASE
)


def vm_body(vm: NewVm) -> dict[str, Any]:
    """The body of the machine's PUT. BadInput for an image that is none, or user data that is too long."""
    data = vm.user_data.encode()
    if len(data) >= MAX_USER_DATA_BYTES:
        raise BadInput(f"the user data of {vm.name} has {len(data)} bytes, {MAX_USER_DATA_BYTES} is too many")
    body: dict[str, Any] = {
        "location": vm.offer.region,
        "tags": dict(vm.tags),
        "properties": {
            "hardwareProfile": {"vmSize": vm.offer.size},
            "storageProfile": {"imageReference": image_reference(vm.image), "osDisk": _disk(vm)},
            "osProfile": _system(vm, data),
            "networkProfile": _network(vm),
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},  # kept by Azure, without an account
            **_spot(vm.offer.priority),
        },
    }
    if vm.identity:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {vm.identity: {}}}
    return body


def image_reference(image: str) -> dict[str, str]:
    """An image's resource id, or the parts of `publisher:offer:sku:version`; BadInput for anything else."""
    if _IMAGE_ID.fullmatch(image):
        return {"id": image}
    if not _MARKETPLACE.fullmatch(image):
        raise BadInput(
            f"{image[:80]!r} is no image: write publisher:offer:sku:version, or /subscriptions/.../images/NAME"
        )
    return dict(zip(("publisher", "offer", "sku", "version"), image.split(":"), strict=True))


def _spot(priority: Priority) -> dict[str, Any]:
    """-1: at most the price on demand, and never evicted over money. Deallocated, it starts under its name again."""
    if priority is not Priority.SPOT:
        return {}
    return {"priority": "Spot", "evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": -1}}


def _disk(vm: NewVm) -> dict[str, Any]:
    return {
        "name": f"{vm.name}-os",
        "createOption": "FromImage",
        "deleteOption": "Delete",
        "caching": "ReadWrite",
        "diskSizeGB": vm.disk_gb,
        "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
    }


def _network(vm: NewVm) -> dict[str, Any]:
    """An interface of its own, made with it and without a public address."""
    address = {"name": "ip", "properties": {"primary": True, "subnet": {"id": vm.subnet}}}
    interface = {
        "name": f"{vm.name}-nic",
        "tags": dict(vm.tags),
        "properties": {"primary": True, "deleteOption": "Delete", "ipConfigurations": [address]},
    }
    return {"networkApiVersion": NETWORK_API_VERSION, "networkInterfaceConfigurations": [interface]}


def _system(vm: NewVm, user_data: bytes) -> dict[str, Any]:
    key = vm.ssh_public_key or nobodys_key(vm.name)
    return {
        "computerName": vm.name,
        "adminUsername": ADMIN,
        "customData": base64.b64encode(user_data).decode(),
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": [{"path": f"/home/{ADMIN}/.ssh/authorized_keys", "keyData": key}]},
        },
    }


def nobodys_key(name: str) -> str:
    """A public key without a known private one: Azure wants a key, also where nobody is meant to sign in."""
    parts = (b"ssh-ed25519", hashlib.sha256(f"nobody's key of {name}".encode()).digest())
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} nobody"
