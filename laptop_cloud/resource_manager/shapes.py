"""The cloud's knowledge as Azure writes it in JSON."""

from __future__ import annotations

from typing import Any

from laptop_cloud.resource_manager.attachments import DISK
from laptop_cloud.resource_manager.cloud_clock import written
from laptop_cloud.resource_manager.compute import MACHINE_TYPE
from laptop_cloud.resource_manager.quota import Usage
from laptop_cloud.resource_manager.records import (
    FAILED,
    SUCCEEDED,
    Attached,
    Machine,
    Operation,
    PowerState,
)
from laptop_cloud.resource_manager.sizes import Size

Json = dict[str, Any]


def resource_id(subscription: str, group: str, type_: str, name: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{type_}/{name}"


def statuses(machine: Machine, *, with_power: bool = True) -> list[Json]:
    """Of an instance view."""
    state = machine.provisioning.lower()
    code = f"{state}/{machine.failure_code}" if machine.provisioning == FAILED else state
    first: Json = {
        "code": f"ProvisioningState/{code}",
        "level": "Error" if machine.provisioning == FAILED else "Info",
        "displayStatus": "Provisioning succeeded"
        if machine.provisioning == SUCCEEDED
        else machine.provisioning,
        "time": written(machine.since),
    }
    if machine.failure_text:
        first["message"] = machine.failure_text
    if machine.power is PowerState.NONE or not with_power:
        return [first]
    power = {"code": f"PowerState/{machine.power}", "level": "Info", "displayStatus": f"VM {machine.power}"}
    return [first, power]


def machine_status(machine: Machine, subscription: str, *, with_power: bool = True) -> Json:
    """What `statusOnly=true` lists: no model, no tags, and the group in capitals."""
    return {
        "name": machine.name,
        "id": resource_id(subscription, machine.group.upper(), MACHINE_TYPE, machine.name),
        "type": MACHINE_TYPE,
        "location": machine.location,
        "properties": {
            "vmId": machine.vm_id,
            "provisioningState": machine.provisioning,
            "instanceView": {"statuses": statuses(machine, with_power=with_power)},
        },
    }


def machine_model(machine: Machine, subscription: str, *, with_view: bool = False) -> Json:
    """As it was ordered."""
    properties = {
        **machine.model,
        "vmId": machine.vm_id,
        "provisioningState": machine.provisioning,
        "timeCreated": written(machine.created),
    }
    if with_view:
        properties["instanceView"] = instance_view(machine)
    return {
        "name": machine.name,
        "id": resource_id(subscription, machine.group, MACHINE_TYPE, machine.name),
        "type": MACHINE_TYPE,
        "location": machine.location,
        "tags": machine.tags,
        "properties": properties,
    }


def instance_view(machine: Machine) -> Json:
    """Its agent answers while it runs."""
    view: Json = {"computerName": machine.name, "hyperVGeneration": "V2", "statuses": statuses(machine)}
    if machine.power is PowerState.RUNNING:
        ready = {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Ready",
            "message": "Guest Agent is running",
            "time": written(machine.since),
        }
        view |= {"osName": "laptop", "vmAgent": {"vmAgentVersion": "1.0", "statuses": [ready]}}
    return view


def attached_model(attached: Attached, subscription: str, machine: Machine | None) -> Json:
    """A disk or an interface. `machine`: whose it is."""
    user = resource_id(subscription, machine.group, MACHINE_TYPE, machine.name) if machine else ""
    model: Json = {
        "name": attached.name,
        "id": resource_id(subscription, attached.group, attached.type, attached.name),
        "type": attached.type,
        "location": attached.location,
        "tags": attached.tags,
        "properties": {"provisioningState": SUCCEEDED},
    }
    if attached.type == DISK:
        state = "Attached" if machine else "Unattached"
        if machine and machine.power is PowerState.DEALLOCATED:
            state = "Reserved"
        model["properties"] |= {"diskSizeGB": attached.gigabytes, "diskState": state}
        if user:
            model["managedBy"] = user
    elif user:
        model["properties"]["virtualMachine"] = {"id": user}
    return model


def operation_status(operation: Operation) -> Json:
    """What a poll of it is answered."""
    body: Json = {
        "startTime": written(operation.began),
        "status": str(operation.status),
        "name": operation.id,
    }
    if operation.ended is not None:
        body["endTime"] = written(operation.ended)
    if operation.failure_code:
        body["error"] = {"code": operation.failure_code, "message": operation.failure_text}
    return body


def usage(row: Usage) -> Json:
    return {
        "unit": "Count",
        "currentValue": row.used,
        "limit": row.limit,
        "name": {"value": row.name, "localizedValue": row.title},
    }


def sku(size: Size, location: str) -> Json:
    """What a resource SKU says of a size: the part that a planner reads."""
    capabilities = {
        "vCPUs": str(size.vcpus),
        "MemoryGB": str(size.memory_gb),
        "LowPriorityCapable": str(size.can_be_spot),
    }
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family,
        "locations": [location],
        "capabilities": [{"name": name, "value": value} for name, value in capabilities.items()],
        "restrictions": [],
    }
