"""What a PUT asks for, checked: the part of a virtual machine's model that this cloud understands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from laptop_cloud.resource_manager.problems import Problem, conflict, mistake
from laptop_cloud.resource_manager.sizes import REGIONS, SIZES

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
MAX_USER_DATA_CHARACTERS = 64 * 1024 * 4 // 3
MAX_TAGS = 50
WRITE_ONLY = ("adminPassword", "customData")


@dataclass(frozen=True, slots=True)
class Order:
    """One machine, wanted."""

    name: str
    group: str
    location: str
    size: str
    is_spot: bool
    tags: dict[str, str]
    model: dict[str, Any]
    """`properties`, without what is never given back."""
    interfaces: tuple[Mapping[str, Any], ...]
    """Network interfaces to be made with it."""
    user_data: str = ""
    """For its first boot, base64; never given back."""


def read_order(name: str, group: str, body: object) -> Order:
    """Problem says what is wrong with it."""
    if not NAME.fullmatch(name):
        raise mistake("InvalidParameter", f"The virtual machine name '{name}' is invalid.")
    content = _mapping(body, "the request body")
    properties = _mapping(content.get("properties", {}), "properties")
    location = str(content.get("location", "")).lower().replace(" ", "")
    if not location:
        raise mistake("LocationRequired", "The location property is required for this definition.")
    if location not in REGIONS:
        raise mistake("LocationNotAvailableForResourceType", f"The location '{location}' is not available.")
    size = str(_mapping(properties.get("hardwareProfile", {}), "hardwareProfile").get("vmSize", ""))
    if size not in SIZES:
        raise mistake("InvalidParameter", f"The value {size} provided for the VM size is not valid.")
    is_spot = _check_spot(properties, size)
    network = _mapping(properties.get("networkProfile", {}), "networkProfile")
    interfaces = tuple(
        _mapping(one, "interface") for one in network.get("networkInterfaceConfigurations", ())
    )
    if not interfaces and not network.get("networkInterfaces"):
        raise mistake(
            "InvalidRequestContent",
            "A virtual machine must have at least one network interface: it has none.",
        )
    return Order(
        name,
        group,
        location,
        size,
        is_spot,
        _tags(content.get("tags")),
        _kept(properties),
        interfaces,
        str(_mapping(properties.get("osProfile", {}), "osProfile").get("customData", "")),
    )


def _check_spot(properties: Mapping[str, Any], size: str) -> bool:
    priority = properties.get("priority", "Regular")
    if priority not in ("Regular", "Low", "Spot"):
        raise mistake("InvalidParameter", f"The value '{priority}' of parameter 'priority' is not allowed.")
    is_spot = bool(priority != "Regular")
    if is_spot and not SIZES[size].can_be_spot:
        raise conflict("VMPriorityCannotBeApplied", f"The VM size {size} is not supported for Spot priority.")
    if not is_spot and properties.get("evictionPolicy"):
        raise mistake(
            "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines",
            "Eviction policy can be set only on Azure Spot Virtual Machines.",
        )
    return is_spot


def _kept(properties: Mapping[str, Any]) -> dict[str, Any]:
    if len(str(properties.get("userData", ""))) > MAX_USER_DATA_CHARACTERS:
        raise mistake("InvalidParameter", "userData must not exceed 64 KB before it is encoded.")
    kept = {name: value for name, value in properties.items() if name != "userData"}
    if isinstance(kept.get("osProfile"), dict):
        kept["osProfile"] = {
            name: value for name, value in kept["osProfile"].items() if name not in WRITE_ONLY
        }
    return kept


def _tags(given: object) -> dict[str, str]:
    tags = _mapping(given or {}, "tags")
    if len(tags) > MAX_TAGS:
        raise mistake("InvalidTagNameCount", f"A resource has at most {MAX_TAGS} tags.")
    return {str(name): str(value) for name, value in tags.items()}


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _unreadable(what)
    return value


def _unreadable(what: str) -> Problem:
    return mistake("InvalidRequestContent", f"The request content was invalid: {what} is not an object.")
