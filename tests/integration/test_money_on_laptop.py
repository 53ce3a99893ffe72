"""What a real controller charges, beside the meter of the laptop's Resource Manager."""

from __future__ import annotations

import random
import threading
from dataclasses import replace

import pytest

from benchmarks import money_closes
from fleetctl.controller.memory import Spend
from laptop_cloud.drills.play import Scene
from laptop_cloud.resource_manager.meter import Bill


@pytest.mark.slow
def test_a_fleet_that_is_evicted_and_started_again_is_charged_as_the_clouds_meter_says(azurite, tmp_path):
    scene = Scene(1, random.Random(1), azurite, None, tmp_path, threading.Event())
    compared = money_closes.play(scene, 3, 1)
    print(compared)
    assert compared.bill.switches >= 8, "three lives, of which one was interrupted"
    assert compared.is_closed


def test_an_account_that_is_wrong_by_more_than_what_happens_between_two_looks_is_not_closed():
    bill = Bill(machine_hours=100.0, compute_usd=2.0, disk_hours=0.0, switches=2)
    right = money_closes.Compared(Spend(paid=2.0), bill, tick_seconds=15.0)
    assert right.is_closed
    assert replace(right, spend=Spend(paid=2.02)).is_closed
    assert not replace(right, spend=Spend(paid=2.03)).is_closed
    assert not replace(right, spend=Spend(paid=1.97)).is_closed
