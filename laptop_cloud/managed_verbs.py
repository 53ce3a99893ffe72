"""The verbs of `laptop-cloud` that trouble a controller: capacity, quota, the interface itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="How long, by the cloud's clock.")]
Order = Callable[..., Any]


def add_managed_verbs(app: typer.Typer, order: Order) -> None:
    """Commands of their own. `order`: gives one to the laptop cloud that runs."""

    @app.command()
    def refuse(
        region: Annotated[str, typer.Option(help="Where; default: everywhere.")] = "",
        size: Annotated[str, typer.Option(help="Which; default: every size.")] = "",
        seconds: Seconds = 600,
        later: Annotated[bool, typer.Option("--later", help="Accept the order, then let it fail.")] = False,
        regular: Annotated[bool, typer.Option("--regular", help="Not only spot.")] = False,
    ) -> None:
        """Have no room for machines. Example: laptop-cloud refuse --region westeurope --seconds 600"""
        print(order("refuse", region=region, size=size, seconds=seconds, later=later, regular=regular))

    @app.command()
    def restore() -> None:
        """Have room for machines again. Example: laptop-cloud restore"""
        print(order("restore"))

    @app.command("others-use")
    def others_use(
        region: Annotated[str, typer.Argument(help="Such as westeurope.")],
        vcpus: Annotated[int, typer.Argument(min=0, help="Spot vCPUs.")],
    ) -> None:
        """Let somebody else use the quota. Example: laptop-cloud others-use westeurope 340"""
        print(order("others-use", region=region, vcpus=vcpus))

    @app.command("lose-power-states")
    def lose_power_states(
        percent: Annotated[float, typer.Argument(min=0, max=100, help="Of the machines listed.")],
        seconds: Seconds = 60,
    ) -> None:
        """List machines without their power state. Example: laptop-cloud lose-power-states 10"""
        print(order("lose-power-states", percent=percent, seconds=seconds))

    @app.command()
    def bill(
        as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    ) -> None:
        """Say what the controller's machines came to by the cloud's own meter. Example: laptop-cloud bill"""
        figures = order("bill")
        if as_json:
            print(json.dumps(figures))
            return
        print(
            f"{figures['machine_hours']:.4f} machine hours, {figures['compute_usd']:.6f} USD by this cloud's price "
            f"list; {figures['disk_hours']:.4f} disk hours"
        )

    @app.command()
    def hold(
        tiles: Annotated[int, typer.Argument(min=0, help="Tiles of each.")],
        vm: Annotated[str | None, typer.Argument(help="Name of the VM; default: all.")] = None,
    ) -> None:
        """Let hollow VMs say that they hold tiles. Example: laptop-cloud hold 1"""
        print(order("hold", vm=vm, tiles=tiles))
