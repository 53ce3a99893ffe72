"""What a job's first tiles say about the rest."""

from __future__ import annotations

import pytest

from contract.errors import BadInput
from contract.tile_id import parse_tile
from fleetctl.money.canary import read_canary
from fleetctl.money.figures import Basis
from tests.unit.fleetctl.campaign_builder import Campaign

CELLS = [parse_tile(f"grid_0.{tenth}5_50.05") for tenth in range(8)]


def test_its_tiles_tell_seconds_bytes_and_what_is_left():
    campaign = Campaign(CELLS)
    for cell in CELLS[:4]:
        campaign.commit(
            cell, after_seconds=70, worker="uk-a10-0001-s0", seconds={"download": 200.0, "infer": 50.0}
        )
    canary = read_canary(campaign.store, campaign.job, 2)
    assert canary.tiles_left == 4
    assert (canary.tile_seconds.value, canary.tile_seconds.basis) == (70.0, Basis.MEASURED)
    assert canary.tile_gb.value == pytest.approx(100e-9)
    assert canary.vms == {"uk-a10-0001-s0"}


def test_of_workers_with_one_tile_each_the_inference_alone_counts():
    campaign = Campaign(CELLS)
    for number, cell in enumerate(CELLS[:3]):
        campaign.commit(cell, after_seconds=5, worker=f"w{number}", seconds={"infer": 40.0 + number})
    assert read_canary(campaign.store, campaign.job, 2).tile_seconds.value == 41.0


def test_too_few_tiles_say_nothing():
    campaign = Campaign(CELLS)
    campaign.commit(CELLS[0])
    with pytest.raises(BadInput, match="inferred 1 tiles so far, 3 are needed"):
        read_canary(campaign.store, campaign.job, 2)
