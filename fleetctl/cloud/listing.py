"""From Resource Manager's JSON to machines: names, states and offers, found by prefix and in any case. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fleetctl.cloud.create_body import FLEET_TAG
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import Power, VmSeen

_VM_NAME = re.compile(r"([a-z][a-z0-9]{0,15})-(\d{4})")
_GROUP = re.compile(r"/resourceGroups/([^/]+)/", re.IGNORECASE)
_OF_VM = re.compile(r"(.+-\d{4})-(os|nic)")


@dataclass(frozen=True, slots=True)
class VmDetails:
    """What only the full listing tells of a machine, and what never changes about it."""

    fleet: str
    """Of its tag; empty: it has none."""
    size: str
    priority: Priority


def pool_in_name(name: str, fleet: str) -> str:
    """The pool in a machine's name; empty when the name is none of this fleet's."""
    if not name.startswith(f"{fleet}-"):
        return ""
    match = _VM_NAME.fullmatch(name.removeprefix(f"{fleet}-"))
    return match.group(1) if match else ""


def details_of(vm: Mapping[str, Any]) -> VmDetails:
    """Of one entry of the full listing."""
    properties = vm.get("properties") or {}
    tags = {name.lower(): str(value) for name, value in (vm.get("tags") or {}).items()}
    return VmDetails(
        fleet=tags.get(FLEET_TAG, ""),
        size=str((properties.get("hardwareProfile") or {}).get("vmSize") or ""),
        priority=Priority.SPOT if str(properties.get("priority")).lower() == "spot" else Priority.REGULAR,
    )


def vm_seen(vm: Mapping[str, Any], pool: str, offer: Offer) -> VmSeen:
    """One entry of the listing of states."""
    properties = vm.get("properties") or {}
    statuses = (properties.get("instanceView") or {}).get("statuses") or []
    provisioning = _status(statuses, "provisioningstate")
    state, _, code = provisioning.partition("/")
    known = state or str(properties.get("provisioningState") or "")
    text = next((str(s.get("message") or "") for s in statuses if _is(s, "provisioningstate")), "")
    return VmSeen(
        name=str(vm["name"]).lower(),
        pool=pool,
        offer=offer,
        power=power_of(statuses, known),
        provisioning=known.lower() or "succeeded",
        error_code=code if state.lower() == "failed" else "",
        error_text=text if state.lower() == "failed" else "",
    )


def power_of(statuses: Iterable[Mapping[str, Any]], provisioning: str) -> Power:
    """A machine that is being made or deleted has no power state yet or any more; one we do not know is unknown."""
    if provisioning.lower() == "deleting":
        return Power.DELETING
    word = _status(statuses, "powerstate").lower()
    if not word:
        return Power.CREATING if provisioning.lower() == "creating" else Power.UNKNOWN
    return Power(word) if word in Power._value2member_map_ else Power.UNKNOWN


def group_of(resource_id: str) -> str:
    """The resource group in an id, in lower case: Azure spells it as it likes."""
    match = _GROUP.search(resource_id)
    return match.group(1).lower() if match else ""


def owner_of(resource_name: str) -> str:
    """The machine that a disk or interface was made with, by its name; empty when it is none of ours."""
    match = _OF_VM.fullmatch(resource_name.lower())
    return match.group(1) if match else ""


def _status(statuses: Iterable[Mapping[str, Any]], kind: str) -> str:
    """Behind the kind's slash: `running` of `PowerState/running`. Order and case vary."""
    codes = (str(status["code"]) for status in statuses if _is(status, kind))
    return next((code.partition("/")[2] for code in codes), "")


def _is(status: Mapping[str, Any], kind: str) -> bool:
    return str(status.get("code") or "").lower().startswith(f"{kind}/")
