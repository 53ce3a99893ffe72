"""Whatever a tick could see and remember: strategies for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from contract.heartbeat import WorkerState
from contract.job import JobState
from fleetctl.controller.memory import Intent, Memory, OfferMemory, Spend, VmMemory
from fleetctl.controller.policy import Limits, Offer, Policy, Pool, Priority, vm_name
from fleetctl.controller.snapshot import (
    Attempts,
    JobSeen,
    Power,
    QueuesSeen,
    Quota,
    Sent,
    Snapshot,
    VmSeen,
    WorkerSeen,
)

NOW = 1_700_000_000.0
A10 = Offer("westeurope", "Standard_NV36ads_A10_v5", Priority.SPOT)
AMX = Offer("westeurope", "Standard_D16s_v6", Priority.SPOT)
PAID = Offer("northeurope", "Standard_D16s_v6", Priority.REGULAR)
OFFERS = (A10, AMX, PAID)
POOLS = (
    Pool("a10", A10, vcpus=36, slots=1, min_vms=0, max_vms=4, tiles_per_slot_hour=13.5),
    Pool("amx", AMX, vcpus=16, slots=2, min_vms=0, max_vms=5, tiles_per_slot_hour=2.3),
    Pool("paid", PAID, vcpus=16, slots=1, min_vms=1, max_vms=2),
)
NAMES = [vm_name("uk", pool, number) for pool in ("a10", "amx", "paid", "gone") for number in (1, 2, 7)]

moments = st.sampled_from([0.0, 20.0, 100.0, 400.0, 3000.0, 90_000.0]).map(lambda ago: NOW - ago)
maybe_moment = st.none() | moments
CODES = ["", "AllocationFailed", "OSProvisioningTimedOut", "SomethingNew"]


@st.composite
def seen_vms(draw: st.DrawFn) -> dict[str, VmSeen]:
    found = {}
    for name in draw(st.lists(st.sampled_from([*NAMES, "stranger"]), unique=True)):
        pool = name.removeprefix("uk-").rpartition("-")[0]
        offer = {"amx": AMX, "paid": PAID}.get(pool, A10)
        provisioning = draw(st.sampled_from(["succeeded", "failed", "updating", "", "migrating"]))
        power, code = draw(st.sampled_from(Power)), draw(st.sampled_from(CODES))
        found[name] = VmSeen(name, "" if name == "stranger" else pool, offer, power, provisioning, code)
    return found


@st.composite
def seen_workers(draw: st.DrawFn) -> tuple[WorkerSeen, ...]:
    vms = draw(st.lists(st.sampled_from([*NAMES, "", "elsewhere"]), max_size=14))
    return tuple(
        WorkerSeen(
            f"{vm}-s{number}",
            vm,
            draw(st.sampled_from(["b1", "b2", ""])),
            draw(st.sampled_from(WorkerState)),
            draw(st.sampled_from([0, 0, 1, 3])),
            draw(st.sampled_from([2.0, 170.0, 190.0, 90_000.0])),
            draw(moments),
            draw(st.sampled_from([0.0, 60.0, 8000.0])),
            jobs=tuple(draw(st.lists(st.sampled_from(["j1", "j2"]), max_size=2))),
        )
        for number, vm in enumerate(vms)
    )


jobs = st.builds(
    JobSeen,
    st.sampled_from(["j1", "j2"]),
    st.sampled_from(JobState),
    st.integers(0, 50),
    st.integers(0, 60),
    st.integers(0, 3),
    st.sampled_from([None, 0.0, 1.0, 500.0]),
    st.sampled_from(["", "budget", "budget of 1.00 USD: ", "by hand"]),
)
quotas = st.builds(Quota, st.integers(0, 300), st.integers(0, 300))
views = st.builds(
    Snapshot,
    now=st.just(NOW),
    vms=st.none() | seen_vms(),
    workers=st.none() | seen_workers(),
    queues=st.none()
    | st.builds(QueuesSeen, st.integers(0, 40), st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)),
    jobs=st.none() | st.lists(jobs, max_size=3).map(tuple),
    spot_quota=st.dictionaries(st.just("westeurope"), quotas),
    regular_quota=st.dictionaries(st.just("northeurope"), quotas),
    usd_per_hour=st.dictionaries(st.sampled_from(OFFERS), st.sampled_from([0.0, 0.6, 4.0])),
    evicted_boots=st.frozensets(st.tuples(st.sampled_from(NAMES), st.just("b1")), max_size=4),
    attempts=st.sampled_from([Attempts(0, 0), Attempts(20, 15), Attempts(20, 20), Attempts(5, 0)]),
    usd_per_gb=st.sampled_from([{}, {"westeurope": 0.05}]),
    sent=st.sampled_from(
        [(), (Sent("a10", "westeurope", "j1", 10**9), Sent("gone", "nowhere", "j2", 10**9))]
    ),
    leaks=st.lists(st.just("/subscriptions/s/disks/d"), max_size=1).map(tuple),
    tile_seconds=st.sampled_from([None, 262.0]),
)
vm_memories = st.builds(
    VmMemory,
    st.sampled_from(Intent),
    st.just("because"),
    moments,
    started_at=maybe_moment,
    running_since=maybe_moment,
    idle_since=maybe_moment,
    called_at=maybe_moment,
    rehosts=st.lists(moments, max_size=3).map(tuple),
    refused_starts=st.integers(0, 8),
    unexplained_stops=st.integers(0, 2),
    evictions=st.integers(0, 3),
    boot_id=st.sampled_from(["", "b1", "b2"]),
)
offer_memories = st.builds(
    OfferMemory,
    refused_at=moments,
    refusals=st.integers(0, 40),
    closed_until=st.sampled_from([0.0, NOW - 10, NOW + 60]),
    reason=st.just("sold out"),
    probe=st.sampled_from(["", *NAMES]),
    trouble=st.sampled_from(["", "quota"]),
)
memories = st.builds(
    Memory,
    vms=st.dictionaries(st.sampled_from(NAMES), vm_memories),
    offers=st.dictionaries(st.sampled_from(OFFERS), offer_memories),
    spend=st.builds(
        Spend,
        paid=st.sampled_from([0.0, 9.0, 10.0, 11.0]),
        by_job=st.dictionaries(st.sampled_from(["j1", "(overhead)"]), st.sampled_from([0.0, 2.0])),
        counted_until=st.sampled_from([0.0, NOW - 15]),
    ),
    outage_since=maybe_moment,
    outage_over=st.sampled_from([0.0, NOW - 100]),
    blind_until=st.sampled_from([0.0, NOW + 100]),
    stopped_for=st.sampled_from(["", "money"]),
    stopped_by=st.sampled_from(["", "usd:10.0"]),
)
policies = st.builds(
    Policy,
    st.just("uk"),
    st.sampled_from([POOLS, POOLS[:1], POOLS[1:]]),
    st.builds(
        Limits,
        vms=st.sampled_from([1, 4, 50]),
        vcpus_by_region=st.sampled_from([{}, {"westeurope": 80}]),
        usd=st.sampled_from([None, 10.0]),
        usd_per_day=st.sampled_from([None, 5.0]),
    ),
    stop_after=st.sampled_from([None, NOW - 1, NOW + 1000]),
)
