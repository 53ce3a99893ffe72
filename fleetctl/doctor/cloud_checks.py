"""May we make machines here, and is there room? Asked of Resource Manager; nothing is made."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fleetctl.cloud.azure import AzureMachines
from fleetctl.cloud.permissions import Permission
from fleetctl.cloud.skus import why_not_offered
from fleetctl.controller.policy import Offer, Policy, Pool
from fleetctl.doctor.findings import Check, Unwell
from fleetctl.fleet_file import FleetFile

QUOTA_PAGE = "https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade"


def cloud_checks(machines: AzureMachines, file: FleetFile) -> Iterator[Check]:
    """In the order in which each needs those before it."""
    yield Check("credentials", partial(_listing, machines))
    for needed in needed_permissions(file):
        yield Check(f"role: {needed.why}", partial(_role, machines, needed))
    for region in sorted({pool.offer.region for pool in file.policy.pools}):
        yield Check(f"sizes in {region}", partial(_sizes, machines, file.policy, region))
    for offer, pool in _largest(file.policy).items():
        yield Check(f"quota of {offer[0]}, {offer[1]}", partial(_quota, machines, pool))


def needed_permissions(file: FleetFile) -> list[Permission]:
    """What the controller does, and on what."""
    group = f"/subscriptions/{file.azure.subscription}/resourceGroups/{file.azure.resource_group}"
    subnets = {pool.subnet for pool in file.pools.values()}
    found = [Permission("Microsoft.Compute/virtualMachines/write", group, "machines")]
    found += [
        Permission("Microsoft.Network/virtualNetworks/subnets/join/action", subnet, "joining the subnet")
        for subnet in sorted(subnets)
    ]
    if file.azure.identity:
        action = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
        found.append(Permission(action, file.azure.identity, "machines act as the identity"))
    return found


def _listing(machines: AzureMachines) -> str:
    return f"{sum(1 for _ in machines.list_states())} machines are listed"


def _role(machines: AzureMachines, needed: Permission) -> str:
    allowed = machines.is_allowed(needed)
    if allowed is None:
        return "this Resource Manager does not tell"
    if not allowed:
        raise Unwell(f"{needed.action} is not allowed on {needed.scope}", needed.command)
    return f"{needed.action} is allowed"


def _sizes(machines: AzureMachines, policy: Policy, region: str) -> str:
    sizes = machines.sizes(region)
    wanted = {pool.offer for pool in policy.pools if pool.offer.region == region}
    problems = [why for offer in sorted(wanted, key=str) if (why := why_not_offered(sizes, offer))]
    if problems:
        raise Unwell(
            "; ".join(problems), f"az vm list-skus --location {region} --resource-type virtualMachines"
        )
    return f"{', '.join(sorted(offer.size for offer in wanted))} can be had"


def _largest(policy: Policy) -> dict[tuple[str, str], Pool]:
    """By region and kind, the pool with the largest machine: if that fits, each does."""
    found: dict[tuple[str, str], Pool] = {}
    for pool in sorted(policy.pools, key=lambda pool: pool.vcpus):
        found[pool.offer.region, pool.offer.priority.value] = pool
    return found


def _quota(machines: AzureMachines, pool: Pool) -> str:
    offer: Offer = pool.offer
    quota = machines.quota(offer.region, offer.priority)
    free = quota.limit - quota.used
    told = f"{quota.used} of {quota.limit} vCPUs are used: room for {max(0, free) // pool.vcpus} more {offer.size}"
    if quota.limit < pool.vcpus:
        raise Unwell(f"{told}; one machine takes {pool.vcpus}", f"ask for more: {QUOTA_PAGE}")
    return told
