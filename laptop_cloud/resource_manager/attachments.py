"""Disks and interfaces: made with a machine, and left behind by it unless its model says that they go along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from laptop_cloud.resource_manager.problems import mistake
from laptop_cloud.resource_manager.records import Attached, Machine, World

DISK = "Microsoft.Compute/disks"
INTERFACE = "Microsoft.Network/networkInterfaces"
GOES_WITH_MACHINE = "Delete"
DEFAULT_GIGABYTES = 30


def make(world: World, machine: Machine, interfaces: Iterable[Mapping[str, Any]]) -> None:
    """What a new machine is given, and what it takes over. Problem for an interface that is not there."""
    network = machine.model.get("networkProfile", {})
    for reference in network.get("networkInterfaces", ()):
        _take_over(world, machine, reference)
    disk = machine.model.get("storageProfile", {}).get("osDisk", {})
    if "diffDiskSettings" not in disk:  # an ephemeral one is part of the hardware
        name = disk.get("name") or f"{machine.name}_OsDisk_1_{machine.vm_id.replace('-', '')}"
        size = int(disk.get("diskSizeGB") or DEFAULT_GIGABYTES)
        goes = disk.get("deleteOption") == GOES_WITH_MACHINE
        # A disk inherits the tags of the machine that it is made for.
        _add(world, machine, Attached(name, DISK, "", "", dict(machine.tags), "", goes, size))
    for wanted in interfaces:
        goes = wanted.get("properties", {}).get("deleteOption") == GOES_WITH_MACHINE
        tags = {str(k): str(v) for k, v in (wanted.get("tags") or {}).items()}
        _add(world, machine, Attached(str(wanted.get("name")), INTERFACE, "", "", tags, "", goes))


def release(world: World, machine: Machine) -> None:
    """The machine is gone: so is what goes with it, and nobody uses the rest."""
    for key, attached in list(world.attached.items()):
        if attached.machine == machine.name:
            if attached.goes_with_machine:
                del world.attached[key]
            else:
                attached.machine = ""


def key_of(type_: str, name: str) -> str:
    """Under which the world knows it."""
    return f"{type_}/{name}".lower()


def _add(world: World, machine: Machine, attached: Attached) -> None:
    attached.group, attached.location, attached.machine = machine.group, machine.location, machine.name
    world.attached[key_of(attached.type, attached.name)] = attached


def _take_over(world: World, machine: Machine, reference: Mapping[str, Any]) -> None:
    name = str(reference.get("id", "")).rpartition("/")[2]
    known = world.attached.get(key_of(INTERFACE, name))
    if known is None or known.machine not in ("", machine.name):
        raise mistake("InvalidResourceReference", f"Network interface '{name}' is not there, or in use.")
    known.machine = machine.name
    known.goes_with_machine = reference.get("properties", {}).get("deleteOption") == GOES_WITH_MACHINE
