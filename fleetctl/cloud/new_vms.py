"""From a machine's name to everything that it is created with: its pool says what, the fleet file says where."""

from __future__ import annotations

from collections.abc import Callable

from contract.errors import BadInput
from contract.fleet import Fleet
from fleetctl.cloud.create_body import vm_body
from fleetctl.cloud.listing import pool_in_name
from fleetctl.cloud.machines import NewVm
from fleetctl.cloud.user_data import worker_user_data
from fleetctl.controller.policy import vm_name
from fleetctl.fleet_file import FleetFile


def new_vm_maker(fleet: Fleet, file: FleetFile) -> Callable[[str], NewVm]:
    """What makes a machine of each name; BadInput for a name that is of no pool."""

    def new_vm(name: str) -> NewVm:
        table = file.pools.get(pool_in_name(name, fleet.name))
        pool = file.policy.pool(table.name) if table else None
        if table is None or pool is None:
            raise BadInput(f"{name} is of no pool of {file.path}")
        return NewVm(
            name=name,
            offer=pool.offer,
            image=table.image,
            subnet=table.subnet,
            identity=file.azure.identity,
            user_data=worker_user_data(fleet, size=table.size, slots=table.slots),
            disk_gb=table.disk_gb,
            ssh_public_key=file.azure.ssh_public_key,
        )

    return new_vm


def check_bodies(fleet: Fleet, file: FleetFile) -> list[str]:
    """What is wrong with what the pools' machines would be created with; nothing is asked of the cloud."""
    problems = []
    for number, pool in enumerate(file.policy.pools):
        try:
            vm_body(new_vm_maker(fleet, file)(vm_name(fleet.name, pool.name, 1)))
        except BadInput as error:
            problems.append(f"{file.place(f'pools.{number}.image')}: pool {pool.name}: {error}")
    return problems
