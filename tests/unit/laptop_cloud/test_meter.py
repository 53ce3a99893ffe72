"""The cloud's own meter: hardware by power state, disks by existence, prices as its list tells them."""

from __future__ import annotations

import pytest

from laptop_cloud.resource_manager import meter
from laptop_cloud.resource_manager.prices import all_items
from laptop_cloud.resource_manager.saved import load, save
from tests.unit.laptop_cloud.resource_manager_rig import GROUP, Rig, regular


def listed_usd(size, region, name):
    """Of the price list that everybody is told."""
    (item,) = (
        item
        for item in all_items()
        if (item["armSkuName"], item["armRegionName"], item["type"]) == (size, region, "Consumption")
        and item["meterName"].endswith(name)
        and "Windows" not in item["productName"]
    )
    return item["retailPrice"]


def test_a_bill_is_seconds_with_hardware_times_the_listed_price_and_outlives_the_machine():
    rig = Rig()
    rig.running("a-0001")  # 60 s, of which 12 are creation
    rig.wait(3600 - 48)
    rig.compute.evict("a-0001", GROUP, None)
    rig.wait(5000)
    spot = listed_usd("Standard_D2s_v5", "westeurope", "v5 Spot")
    assert rig.compute.bill().machine_hours == pytest.approx(1.0)
    assert rig.compute.bill().compute_usd == pytest.approx(spot)
    assert rig.compute.bill().disk_hours == pytest.approx((12 + 3600 + 5000) / 3600)
    rig.compute.delete("a-0001", GROUP)
    rig.wait(15)
    before = rig.compute.bill()
    rig.wait(1000)
    assert rig.compute.bill() == before
    assert before.switches == 2
    rig.put("c-0001", regular("c-0001"))
    rig.wait(12 + 1800)
    more = rig.compute.bill().compute_usd - before.compute_usd
    assert more == pytest.approx(listed_usd("Standard_D2s_v5", "westeurope", "v5") / 2)


def test_a_deletion_without_a_word_takes_the_hardware_at_once():
    rig = Rig()
    rig.running("a-0001", "a-0002")
    rig.compute.delete("a-0001", GROUP, is_forced=True)
    before = rig.compute.bill().machine_hours
    rig.wait(10)
    assert rig.compute.bill().machine_hours - before == pytest.approx(10 / 3600), "the other one's alone"


def test_a_clients_hour_is_its_own_however_fast_the_cloud_goes_and_a_restart_keeps_the_bill(tmp_path):
    rig = Rig()
    rig.running("a-0001", "a-0002")
    rig.compute.delete("a-0002", GROUP)
    rig.wait(100)
    slow = rig.compute.bill()
    assert meter.bill(rig.world, speed=50.0).machine_hours == pytest.approx(slow.machine_hours / 50)
    save(tmp_path / "state.json", rig.world)
    later = Rig(world=load(tmp_path / "state.json"))
    assert later.compute.bill().machine_hours == pytest.approx(slow.machine_hours)
