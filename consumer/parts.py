"""A worker put together from its parts, over any storage: what wiring.py does with Azure, tests do in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from consumer.cancelled import CancelledWork
from consumer.checkpoints.keep import Checkpoints
from consumer.checkpoints.shelf import Shelf
from consumer.datasets import Machine, OpenDatasets
from consumer.departure import Departure
from consumer.fitness import Check
from consumer.harms import may_be_worker
from consumer.health import HealthWatch
from consumer.intake import IntakeWatch
from consumer.job_watch import JobWatch
from consumer.last_resort import end_process
from consumer.lease import LeaseKeeper
from consumer.leaving import Leaving
from consumer.load import LoadMeter
from consumer.notices.drain_request import DrainRequest
from consumer.notices.halt_file import HaltFile
from consumer.notices.signals import SignalNotice
from consumer.own_names import boot_id, host_name
from consumer.patience import Patience
from consumer.prefetch import ByteBudget
from consumer.receiving import Receiving
from consumer.recent_lines import RecentLines
from consumer.report import Identity, Reporter
from consumer.second_attempts import SecondAttempts
from consumer.settings import Settings
from consumer.shared_state import SharedState
from consumer.stages.download import DownloadStage
from consumer.stages.infer import InferStage
from consumer.stages.prepare import PrepareStage
from consumer.stages.receive import ReceiveStage
from consumer.stages.settle import SettleStage
from consumer.stages.turn_away import TurnAway
from consumer.stages.upload import UploadStage
from consumer.steps import Steps
from consumer.suspicion import Suspicion
from consumer.worker import Worker
from contract.blob_store import BlobStore
from contract.fleet import Fleet
from contract.fleet_queues import FleetQueues
from contract.ledger import LedgerWriter

LOOKS_PER_LEASE = 3
"""At the tail, by an idle worker."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A worker's parts without its threads."""

    state: SharedState
    receive: ReceiveStage
    steps: Steps
    keeper: LeaseKeeper
    budget: ByteBudget
    reporter: Reporter
    leaving: Leaving
    checkpoints: Checkpoints
    health: HealthWatch
    cancelled: CancelledWork
    second_attempts: SecondAttempts
    drain: DrainRequest
    intake: IntakeWatch


def build_parts(
    settings: Settings,
    fleet: Fleet,
    store: BlobStore,
    queues: FleetQueues,
    *,
    worker: str,
    gpu: str = "",
    recent: RecentLines | None = None,
    patience: Patience = Patience(),  # noqa: B008 - a frozen value
    look: Callable[[], Iterable[Check]] = tuple,
    show_life: Callable[[], None] = lambda: None,
) -> Parts:
    """Put the parts together, over any storage. `gpu`: see LoadMeter; `recent`: the log lines that poison entries
    quote; `look`: at the machine, while it works; `show_life`: to whoever watches this process."""
    state = SharedState(settings)
    keeper = LeaseKeeper(
        queues,
        lease_seconds=settings.lease_seconds,
        limit_seconds=state.limit_seconds,
        on_stuck=state.on_stuck,
        show_life=show_life,
    )
    budget = ByteBudget(settings.memory_bytes)
    identity = Identity(
        worker,
        settings.vm or host_name(),
        settings.boot_id or boot_id(),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    reporter = build_reporter(settings, store, state, keeper, budget, identity, gpu=gpu)
    checkpoints = Checkpoints(
        Shelf(store, settings.scratch_folder),
        every_seconds=settings.checkpoint_every_seconds,
        tiles_over_seconds=settings.checkpoint_tiles_over_seconds,
        median_seconds=state.expected_infer_seconds,
        may_save=lambda: not state.unfit,
        on_saved=reporter.checkpoint_saved,
    )
    ground = _Ground(
        settings,
        store,
        queues,
        state,
        keeper,
        budget,
        identity,
        reporter,
        checkpoints,
        JobWatch(store),
        recent or RecentLines(),
        patience,
    )
    return _parts(ground, _steps(ground, fleet), look)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the stages and the threads beside them stand on."""

    settings: Settings
    store: BlobStore
    queues: FleetQueues
    state: SharedState
    keeper: LeaseKeeper
    budget: ByteBudget
    identity: Identity
    reporter: Reporter
    checkpoints: Checkpoints
    jobs: JobWatch
    recent: RecentLines
    patience: Patience

    @property
    def worker(self) -> str:
        return self.identity.worker


def _steps(ground: _Ground, fleet: Fleet) -> Steps:
    """The stages of a tile, in its order."""
    state, store = ground.state, ground.store
    settle = SettleStage(
        store=store,
        queues=ground.queues,
        keeper=ground.keeper,
        budget=ground.budget,
        checkpoints=ground.checkpoints,
        reporter=ground.reporter,
        recent=ground.recent,
        patience=ground.patience,
        worker=ground.worker,
        is_evicted=state.is_evicted,
        on_unfit=state.on_unfit,
        on_settled=state.on_settled,
    )
    datasets = OpenDatasets(store, machine(ground.settings, fleet.stac_url))
    upload = UploadStage(store, ground.settings.scratch_folder, ground.worker)
    suspicion = Suspicion(
        InferStage(state.busy, ground.checkpoints),
        lambda work: ground.patience.call(lambda: upload(work), work),
        settle,
        may_be_worker=lambda dataset: may_be_worker(store, dataset, ground.worker),
        in_hand=state.in_hand,
        on_unfit=state.on_unfit,
        is_unfit=lambda: bool(state.unfit),
    )
    return Steps(
        download=DownloadStage(store, ground.jobs, datasets, ground.budget, ground.checkpoints),
        prepare=PrepareStage(ground.jobs, ground.keeper, ground.identity, ground.checkpoints),
        infer=suspicion.infer,
        upload=suspicion.upload,
        settle=suspicion.settle,
    )


def _parts(ground: _Ground, steps: Steps, look: Callable[[], Iterable[Check]]) -> Parts:
    """The stages with everything beside them."""
    settings, store, queues, state = ground.settings, ground.store, ground.queues, ground.state
    keeper, reporter, worker = ground.keeper, ground.reporter, ground.worker
    turn_away = TurnAway(queues, ground.jobs, reporter)
    return Parts(
        state=state,
        receive=ReceiveStage(queues, store, keeper, reporter, turn_away, ground.recent),
        steps=steps,
        keeper=keeper,
        budget=ground.budget,
        reporter=reporter,
        leaving=Leaving(
            queues, keeper, reporter, worker, state.expected_infer_seconds, ground.checkpoints.save_seconds
        ),
        checkpoints=ground.checkpoints,
        health=HealthWatch(look, keeper.held, state.on_unfit, settings.heartbeat_seconds),
        cancelled=CancelledWork(ground.jobs, state.in_hand),
        second_attempts=SecondAttempts(
            store, ground.jobs, keeper, reporter, worker, state.pace, settings.lease_seconds / LOOKS_PER_LEASE
        ),
        drain=DrainRequest(store, ground.identity.vm, settings.heartbeat_seconds),
        intake=IntakeWatch(store, ground.identity.vm),
    )


def no_notice() -> Departure | None:
    """No cloud tells anything."""
    return None


def build_worker(
    parts: Parts,
    *,
    signals: SignalNotice,
    notices: Callable[[], Departure | None] = no_notice,
    is_finished: Callable[[], bool] | None = None,
    most_received: int | None = None,
    end_process: Callable[[int], None] = end_process,
) -> Worker:
    """The parts with their threads, not started yet. `notices`: what the cloud told this machine so far."""
    settings = parts.state.settings
    halt = HaltFile(settings.halt_file, settings.grace_seconds)
    receiving = Receiving(
        parts.state,
        parts.receive,
        parts.second_attempts,
        parts.intake,
        is_finished=is_finished,
        most_received=most_received,
    )
    return Worker(
        parts.state,
        receiving=receiving,
        steps=parts.steps,
        keeper=parts.keeper,
        budget=parts.budget,
        reporter=parts.reporter,
        leaving=parts.leaving,
        watches={"drain": parts.drain.run, "intake": parts.intake.run},
        guards={"health": parts.health.run, "cancelled": parts.cancelled.run},
        told=[halt.look, notices, lambda: signals.departure(settings.grace_seconds), parts.drain.look],
        end_process=end_process,
    )


def build_reporter(
    settings: Settings,
    store: BlobStore,
    state: SharedState,
    keeper: LeaseKeeper,
    budget: ByteBudget,
    identity: Identity,
    *,
    gpu: str,
) -> Reporter:
    """The ledger stream and heartbeat of this process."""
    stream = f"{identity.worker}-{identity.boot_id[:8]}-{time.time_ns() // 1_000_000:x}"
    return Reporter(
        store,
        LedgerWriter(store, stream, bound={"worker": identity.worker, "vm": identity.vm}),
        identity,
        keeper=keeper,
        budget=budget,
        meter=LoadMeter(gpu),
        ledger_seconds=settings.ledger_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        why_leaving=state.why_leaving,
    )


def machine(settings: Settings, stac_url: str) -> Machine:
    """What this worker brings to every recipe."""
    return Machine(
        stac_url=stac_url,
        cache_folder=settings.cache_folder,
        scratch_folder=settings.scratch_folder,
        weights=settings.weights,
        device=settings.device,
        threads=settings.threads,
        cubes_folder=settings.cubes_folder,
    )
