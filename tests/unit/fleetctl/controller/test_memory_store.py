"""The controller's record in its blob: what workers read of it without opening it."""

from contract.artifact_names import CONTROLLER_MEMORY, STOP_AFTER
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from fleetctl.controller.memory import Memory
from fleetctl.controller.memory_store import MemoryStore


def test_the_fleets_end_stands_beside_the_record_for_as_long_as_there_is_one():
    store = SimulatedBlobStore(SimulatedContainer())
    kept = MemoryStore(store)
    kept.load()
    for end, told in ((1_800_000_000.4, "1800000000"), (None, None), (1_900_000_000.0, "1900000000")):
        kept.save(Memory(), stop_after=end)
        assert store.info(CONTROLLER_MEMORY).metadata.get(STOP_AFTER) == told
