"""What a fleet file says of machines and money, for a fleet whose machines this cloud makes."""

from __future__ import annotations

from laptop_cloud.resource_manager.account import Account
from laptop_cloud.resource_manager.shapes import resource_id

REGION = "westeurope"
SIZE = "Standard_D2s_v5"
VCPUS = 2
BUDGET_USD = 5.0
POOL = "cpu"


def operators_tables(url: str, account: Account, most_machines: int) -> str:
    """TOML. The subnet and the image are names alone: nothing is behind them."""
    subscription, group = account.subscription, account.group
    network = resource_id(subscription, group, "Microsoft.Network/virtualNetworks", "laptop")
    image = resource_id(subscription, group, "Microsoft.Compute/images", "tilefleet")
    return (
        f'[azure]\nsubscription = "{subscription}"\nresource_group = "{group}"\n'
        f'resource_manager_url = "{url}"\n'
        f"[budget]\nusd = {BUDGET_USD}\n[limits]\nvms = {most_machines}\n"
        f'[[pools]]\nname = "{POOL}"\nregion = "{REGION}"\nsize = "{SIZE}"\nimage = "{image}"\n'
        f'subnet = "{network}/subnets/workers"\nmax = {most_machines}\n'
    )
