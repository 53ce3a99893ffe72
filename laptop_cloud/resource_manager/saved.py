"""The cloud's knowledge on disk, so that a laptop cloud that is started again finds its machines."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from contract.errors import BadInput
from laptop_cloud.resource_manager.records import (
    Attached,
    Kind,
    Machine,
    Metered,
    Operation,
    PowerState,
    Status,
    World,
)

VERSION = 2


def save(path: Path, world: World) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(json.dumps({"v": VERSION, **_fields(world)}, default=_fields))
    partial.replace(path)


def load(path: Path) -> World:
    """What was saved last; an empty world where nothing was. BadInput for a file that is none of ours."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return World()
    except ValueError as error:
        raise BadInput(
            f"{path} cannot be read ({error}): start with --fresh to forget its machines"
        ) from error
    if content.pop("v", None) != VERSION:
        raise BadInput(f"{path} is of another version: start with --fresh to forget its machines")
    world = World(**content)
    world.machines = {key: _machine(value) for key, value in content["machines"].items()}
    world.attached = {key: Attached(**value) for key, value in content["attached"].items()}
    world.gone = [Metered(**value) for value in content["gone"]]
    world.operations = {key: _operation(value) for key, value in content["operations"].items()}
    return world


def _fields(record: World | Machine | Attached | Metered | Operation) -> dict[str, Any]:
    """Not copied, as asdict does: thousands of machines are saved while the cloud holds its breath."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _machine(value: dict[str, Any]) -> Machine:
    machine = Machine(**value)
    machine.kind, machine.power = Kind(machine.kind), PowerState(machine.power)
    return machine


def _operation(value: dict[str, Any]) -> Operation:
    operation = Operation(**value)
    operation.status = Status(operation.status)
    return operation
