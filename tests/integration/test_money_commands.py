"""Money as it is typed, on real storage; and a calibration's tile through a real producer and worker."""

from __future__ import annotations

import json

import pytest

from consumer.exit_codes import ExitCode
from contract.budget import read_budget
from fleetctl import wiring
from fleetctl.controller.memory import Memory, Spend
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.policy import Offer, Priority
from fleetctl.money.calibrate import Pair
from fleetctl.money.trial_jobs import TrialJobs, pair_fleet
from tests.fleet_rig import QUICK, FleetRig

pytestmark = pytest.mark.slow
TWO = "bbox:-4.9,54.0,-4.7,54.1"
PAIR = Pair("cal", 1, Offer("eastus", "Standard_D16s_v6", Priority.SPOT), 0.2)
OFFLINE = {"TILEFLEET_FLEETCTL_PRICE_LIST": ""}


@pytest.fixture
def offline(rig, tmp_path) -> FleetRig:
    rig.environ |= {**OFFLINE, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return rig


def test_a_job_has_a_budget_once_somebody_sets_it_and_its_account_beside_it(offline):
    rig, job = offline, offline.enqueue(TWO)
    spend = Spend(paid=3.0, by_job={job: 2.0, "(overhead)": 1.0}, traffic_by_job={job: 0.5})
    MemoryStore(rig.store).save(Memory(spend=spend))
    said = rig.type("fleetctl", "budget", job, "--set", "250", "--json")
    assert "250.00 USD, from the controller's next tick" in said
    assert read_budget(rig.store, job).usd == 250.0
    account = json.loads(said[said.index("{") :])
    assert (account["budget_usd"], account["spent_usd"], account["left_usd"]) == (250.0, 3.0, 247.0)
    assert account["traffic_usd"] == 0.5
    assert (account["asked"], account["done"], account["forecast_usd"]) == (2, 0, None)
    assert "none" in rig.type("fleetctl", "budget", job, "--set", "none")
    assert read_budget(rig.store, job).usd is None


def test_prices_and_an_estimate_without_a_price_list_say_what_they_assume(offline):
    rig = offline
    table = rig.type("fleetctl", "prices", "eastus", "--by", "rate-per-quota")
    for figure in ("~0.0437", "~0.0359", "~0.0800", "~0.1253", "~122", "~136", "~48", "~100"):
        assert figure in table
    answer = rig.type("fleetctl", "estimate", TWO, "--budget", "5", "--write", "new.toml")
    assert "yes: 2 tiles" in answer
    assert "first seed document" in answer
    assert (rig.folder / "new.toml").exists()


def test_a_calibrations_tile_is_made_twice_on_queues_of_its_own(rig):
    def connect(fleet):
        settings = wiring.load_settings()
        wiring.ensure_storage(fleet, settings)
        storage = wiring.connect(fleet, settings)
        return storage.store, storage.queues

    tile = "grid_-4.85_54.05"
    trials = TrialJobs(rig.fleet, tile, ["--recipe", "toy", "--year", "2024"], connect)
    own = pair_fleet(rig.fleet, PAIR)
    trials.ask(PAIR)
    assert not trials.has_reported(PAIR)
    assert trials.seconds(PAIR, 1) is None
    assert rig.queues.tiles.depth() == 0
    file = rig.folder / "fleets" / f"{own.name}.toml"
    text = (rig.folder / "fleets" / f"{rig.fleet.name}.toml").read_text()
    file.write_text(text.replace(f'"{rig.fleet.name}"', f'"{own.name}"'))
    work = {"FLEET": own.name, "TILEFLEET_CONSUMER_VM": PAIR.vm, **QUICK}
    assert rig.start_consumer("w1", "--until-empty", **work).wait(90) == ExitCode.DONE
    first = trials.seconds(PAIR, 1)
    trials.ask_again(PAIR)
    assert rig.start_consumer("w1", "--until-empty", **work).wait(90) == ExitCode.DONE
    assert first > 0
    assert trials.seconds(PAIR, 2) > 0
    store, queues = connect(own)
    assert queues.tiles.depth() == 0
    queues.tiles.send("left by a machine that was removed while it held it")
    assert queues.tiles.receive(1, 300)
    trials.clear(PAIR)
    assert not list(store.names(""))
    assert queues.tiles.depth() == 0
