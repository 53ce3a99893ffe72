"""What may be done to the machines that a controller made, and to the interface by which it made them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from contract.errors import BadInput
from laptop_cloud.managed import Managed
from laptop_cloud.resource_manager.capacity import Shortage
from laptop_cloud.resource_manager.records import Kind, Machine
from laptop_cloud.resource_manager.sizes import REGIONS


class ManagedOrders:
    """Each answers with a sentence, or with figures. BadInput and Problem say why an order cannot be carried out."""

    def __init__(self, managed: Managed) -> None:
        self._compute = managed.manager.compute
        self._throttle = managed.manager.throttle
        self._forgetful = managed.manager.forgetful
        self._group = managed.manager.account.group
        self._hollow = managed.hollow
        self.known: Mapping[str, Callable[..., Any]] = {
            "refuse": self.refuse,
            "restore": self.restore,
            "others-use": self.others_use,
            "lose-power-states": self.lose_power_states,
            "throttle-machines": self.throttle_machines,
            "hold": self.hold,
            "bill": self.bill,
        }

    def machine(self, name: str) -> Machine | None:
        """None: no controller made it."""
        with self._compute.at_this_moment() as world:
            return world.machines.get(name.lower())

    def rows(self) -> list[dict[str, Any]]:
        """Of those that are no processes now: the others show themselves."""
        with self._compute.at_this_moment() as world:
            return [
                {
                    "name": machine.name,
                    "power": str(machine.power) or machine.provisioning.lower(),
                    "boot": "",
                    "consumer": str(machine.kind),
                    "slots": "",
                    "log": "",
                }
                for machine in world.machines.values()
            ]

    def at_risk(self) -> list[str]:
        """Spot machines that run."""
        return self._compute.at_risk()

    def evict(self, name: str, notice_seconds: float | None) -> None:
        self._compute.evict(name, self._group, notice_seconds)

    def start(self, name: str) -> str:
        self._compute.start(name, self._group)
        return f"{name}: starts"

    def stop_reporting(self, name: str) -> str:
        """Of a hollow one, which has nothing else to be killed."""
        self._hollow.fall_silent(name)
        return f"{name}: reports no more; the VM is still running"

    def sicken(self, name: str) -> str:
        """Of a hollow one."""
        self._hollow.sicken(name, "the GPU has uncorrected memory errors")
        return f"{name}: says that it is unfit until it is started again"

    def is_hollow(self, name: str) -> bool:
        machine = self.machine(name)
        return machine is not None and machine.kind is Kind.HOLLOW

    def refuse(self, *, region: str, size: str, seconds: float, later: bool, regular: bool) -> str:
        """`later`: accepted first, then failed. `regular`: not only spot."""
        _check_region(region)
        now = self._compute.clock.now()
        self._compute.capacity.refuse(Shortage(region, size, now + seconds, later, regular), now)
        return f"{size or 'every size'} is sold out in {region or 'every region'} for {seconds:g} s"

    def restore(self) -> str:
        self._compute.capacity.restore()
        return "there is room for every size again"

    def others_use(self, region: str, vcpus: int) -> str:
        if not region:
            raise BadInput("others-use needs a region")
        _check_region(region)
        with self._compute.at_this_moment() as world:
            world.others_vcpus[region] = vcpus
            world.edits += 1
        return f"others of this subscription use {vcpus} spot vCPUs in {region}"

    def lose_power_states(self, percent: float, seconds: float) -> str:
        self._forgetful.forget(percent, seconds)
        return f"{percent:g} % of the listed machines have no power state for {seconds:g} s"

    def throttle_machines(self, seconds: float) -> str:
        self._throttle.close(seconds)
        return f"every request about machines is answered 429 for {seconds:g} s"

    def bill(self) -> dict[str, float]:
        return asdict(self._compute.bill())

    def hold(self, vm: str | None, tiles: int) -> str:
        """`vm` None: all."""
        with self._compute.at_this_moment() as world:
            names = [one.name for one in world.machines.values() if one.kind is Kind.HOLLOW]
        if vm is not None and vm not in names:
            raise BadInput(f"there is no hollow VM {vm!r}; there are: {', '.join(sorted(names)) or 'none'}")
        chosen = names if vm is None else [vm]
        for name in chosen:
            self._hollow.hold(name, tiles)
        return f"{len(chosen)} hollow VMs say that they hold {tiles} tiles each"


def _check_region(region: str) -> None:
    if region and region not in REGIONS:
        raise BadInput(f"there is no region {region!r}; there are: {', '.join(REGIONS)}")
