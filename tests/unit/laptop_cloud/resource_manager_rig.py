"""A cloud of hollow machines over a clock that a test sets, and the real client of azure-mgmt-compute."""

from __future__ import annotations

from dataclasses import dataclass, field

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.compute import ComputeManagementClient

from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.compute import Backends, Compute, Plan
from laptop_cloud.resource_manager.hollow import HollowMachines
from laptop_cloud.resource_manager.order import read_order
from laptop_cloud.resource_manager.quota import Quotas
from laptop_cloud.resource_manager.records import World

GROUP = "laptop"
SIZE = "Standard_D2s_v5"
SUBNET = "/subscriptions/s/resourceGroups/laptop/providers/Microsoft.Network/virtualNetworks/laptop/subnets/workers"


def body(name, *, location="westeurope", size=SIZE, goes=True, tags=None, **properties):
    """What a PUT of a spot machine sends."""
    option = "Delete" if goes else "Detach"
    interface = {
        "name": f"{name}-nic",
        "tags": tags or {},
        "properties": {
            "deleteOption": option,
            "primary": True,
            "ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": SUBNET}}}],
        },
    }
    return {
        "location": location,
        "tags": tags or {"tilefleet-fleet": "uk"},
        "properties": {
            "priority": "Spot",
            "evictionPolicy": "Deallocate",
            "billingProfile": {"maxPrice": -1},
            "hardwareProfile": {"vmSize": size},
            "storageProfile": {
                "osDisk": {"createOption": "FromImage", "deleteOption": option, "diskSizeGB": 64}
            },
            "osProfile": {"computerName": name, "adminUsername": "u", "customData": "c2VjcmV0"},
            "networkProfile": {
                "networkApiVersion": "2022-11-01",
                "networkInterfaceConfigurations": [interface],
            },
        }
        | properties,
    }


def regular(name, **more):
    """Of a machine at the full price."""
    wanted = body(name, **more)
    for key in ("priority", "evictionPolicy", "billingProfile"):
        del wanted["properties"][key]
    return wanted


@dataclass
class Rig:
    """Time stands still until `wait`."""

    quotas: Quotas = field(default_factory=Quotas)
    world: World = field(default_factory=World)
    seconds: float = 1_000_000.0

    def __post_init__(self):
        self.clock = CloudClock(wall=lambda: self.seconds)
        self.timers = []
        self.hollow = HollowMachines(self.clock, after=lambda wait, call: self.timers.append((wait, call)))
        self.compute = Compute(self.world, self.clock, Plan(quotas=self.quotas), Backends(self.hollow))

    def wait(self, seconds):
        self.seconds += seconds
        with self.compute.at_this_moment():
            pass

    def put(self, name, wanted=None):
        return self.compute.put(read_order(name, GROUP, wanted or body(name)))

    def running(self, *names, **more):
        for name in names:
            self.put(name, body(name, **more))
        self.wait(60)

    def power(self, name):
        return str(self.compute.machine(name, GROUP).power)


class _Token(SansIOHTTPPolicy):
    """A token over plain http, which the library's own policy refuses to send."""

    def on_request(self, request):
        request.http_request.headers["Authorization"] = "Bearer laptop"


class _Credential:
    def get_token(self, *scopes, **options):
        return AccessToken("laptop", 2**40)


def client(manager, **options):
    """The real one, which neither retries nor waits unless told to."""
    return ComputeManagementClient(
        _Credential(),
        manager.account.subscription,
        base_url=manager.url,
        authentication_policy=_Token(),
        polling_interval=1,
        **{"retry_total": 0} | options,
    )
