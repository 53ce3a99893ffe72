"""Writes the fleet file of an estimate: its pools, limits and budget; addresses from the fleet that is chosen.

Where no fleet is chosen the addresses are placeholders that read well and work nowhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.errors import BadInput
from contract.fleet import Fleet
from fleetctl.cloud.sizes import vcpus_of
from fleetctl.controller.policy import Patience
from fleetctl.fleet_file import FleetFile
from fleetctl.money.estimate import MARGIN, SURE, Answer
from fleetctl.money.forecast import PoolPlan
from fleetctl.money.knowledge import Knowledge

FILL_IN = "FILL-IN"
"""Stands wherever a person must write something before `fleetctl up`."""
_GROUP = f"/subscriptions/{FILL_IN}/resourceGroups/{FILL_IN}/providers"
SUBNET = f"{_GROUP}/Microsoft.Network/virtualNetworks/{FILL_IN}/subnets/workers"
POOL_NAME_CHARACTERS = 14


@dataclass(frozen=True, slots=True)
class Addresses:
    """What an estimate cannot know."""

    fleet: Fleet
    azure: Mapping[str, str]
    """The table of that name: where machines live, and as whom they act."""
    image: str
    subnets: dict[str, str]
    """By region."""
    patience: Patience | None = None
    """None: the controller's own."""


def known_addresses(fleet: Fleet, file: FleetFile) -> Addresses:
    """Those of a fleet that exists."""
    pools = list(file.pools.values())
    return Addresses(
        fleet=fleet,
        azure=file.azure.model_dump(exclude_defaults=True),
        image=pools[0].image,
        subnets={pool.region: pool.subnet for pool in pools},
        patience=file.policy.patience,
    )


def placeholders(region: str) -> Addresses:
    """Of a fleet that nobody has made yet."""
    account = "https://fill-in.{}.core.windows.net"
    return Addresses(
        fleet=Fleet(
            "new-fleet", "azure", region, account.format("queue"), account.format("blob"), "tilefleet"
        ),
        azure={
            "subscription": "00000000-0000-0000-0000-000000000000",
            "resource_group": FILL_IN,
            "identity": "",
            "ssh_public_key": "",
        },
        image=FILL_IN,
        subnets={},
    )


def least_budget(made: Answer, known: Knowledge) -> float:
    """USD for the file: what was asked, else what nine of ten worlds need; an hour of one machine at the least, which
    `fleetctl up` demands. BadInput when less than that was asked."""
    hour = max(known.prices[pool.offer].value for pool in made.pools)
    if made.wish.usd is None:
        return math.ceil(100 * max(hour, made.usd(SURE) * MARGIN)) / 100
    if made.wish.usd < hour:
        raise BadInput(
            f"a budget of {made.wish.usd:g} USD is less than one hour of {made.size} ({hour:.3f} USD): `fleetctl up` "
            "would refuse the file, so it is not written"
        )
    return made.wish.usd


def fleet_text(made: Answer, addresses: Addresses, usd: float) -> str:
    """The file's text; `contract/fleet.py` and `fleet_file.py` read it."""
    fleet = addresses.fleet
    head = [f"{name} = {_text(getattr(fleet, name))}" for name in ("name", "kind", "location")]
    storage = [f"{name} = {_text(getattr(fleet, name))}" for name in ("queue_url", "blob_url", "container")]
    azure = [f"{name} = {_text(value)}" for name, value in addresses.azure.items()]
    vcpus = [f"{pool.offer.region} = {pool.vms * vcpus_of(pool.offer.size)}" for pool in made.pools]
    sections = [
        head,
        ["[storage]", *storage],
        ["[imagery]", f"stac_url = {_text(fleet.stac_url)}"],
        *([["[boundaries]", f"file = {_text(fleet.boundaries_file)}"]] if fleet.boundaries_file else []),
        ["[azure]", *azure],
        ["[budget]", f"usd = {usd:.2f}"],
        ["[limits]", f"vms = {sum(pool.vms for pool in made.pools)}", "[limits.vcpus]", *vcpus],
        *([_patience(addresses.patience)] if addresses.patience else []),
        *(_pool(pool, name, addresses) for pool, name in zip(made.pools, _names(made.pools), strict=True)),
    ]
    note = f"# Made by `fleetctl estimate` for {made.wish.tiles} tiles; write in what says {FILL_IN}.\n"
    return note + "\n".join("\n".join(section) for section in sections) + "\n"


def _patience(patience: Patience) -> list[str]:
    return [
        "[patience]",
        f"tick_seconds = {patience.tick}",
        f"idle_grace_seconds = {patience.idle_grace}",
    ]


def _pool(pool: PoolPlan, name: str, addresses: Addresses) -> list[str]:
    subnet = addresses.subnets.get(pool.offer.region, SUBNET)
    return [
        "[[pools]]",
        f"name = {_text(name)}",
        f"region = {_text(pool.offer.region)}",
        f"size = {_text(pool.offer.size)}",
        f"image = {_text(addresses.image)}",
        f"subnet = {_text(subnet)}",
        f"max = {pool.vms}",
    ]


def _names(pools: Sequence[PoolPlan]) -> list[str]:
    """The region's name, shortened; with a number where two begin alike."""
    names: list[str] = []
    for pool in pools:
        name = pool.offer.region[:POOL_NAME_CHARACTERS]
        names.append(f"{name}{len(names)}" if name in names else name)
    return names


def _text(value: str) -> str:
    return json.dumps(value)  # a JSON string is a TOML one
