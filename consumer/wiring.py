"""The one place of this program that reads the environment and names concrete parts."""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from consumer.cores import cores_in_order
from consumer.datasets import Machine, OpenDatasets
from consumer.exit_codes import ExitCode
from consumer.fitness import why_unfit
from consumer.gpus import slot_gpus
from consumer.job_watch import JobWatch
from consumer.last_resort import end_process
from consumer.lease import LeaseKeeper
from consumer.leaving import Leaving
from consumer.load import LoadMeter
from consumer.notices.halt_file import HaltFile
from consumer.notices.signals import SignalNotice
from consumer.patience import Patience
from consumer.prefetch import ByteBudget
from consumer.report import Identity, Reporter
from consumer.selftest import NO_CATALOGUE, machine_checks, recipe_check, report
from consumer.settings import Settings
from consumer.shared_state import SharedState
from consumer.slot_process import slot_arguments, slot_command, slot_environ, start_slot
from consumer.slots import Slot, plan_slots
from consumer.stages.download import DownloadStage
from consumer.stages.infer import InferStage
from consumer.stages.prepare import PrepareStage
from consumer.stages.receive import ReceiveStage
from consumer.stages.settle import SettleStage
from consumer.stages.upload import UploadStage
from consumer.supervisor import KILL_AFTER_GRACE_SECONDS, Supervisor
from consumer.worker import UNTIL_EMPTY_CHECK_SECONDS, Steps, Worker
from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_store import BlobStore
from contract.blob_stores.azure import AzureBlobStore
from contract.completion import completion
from contract.errors import BadInput, NotFound
from contract.fleet import FLEET_VARIABLE, Fleet, choose_fleet
from contract.fleet_queues import FleetQueues
from contract.job_store import list_jobs, read_job
from contract.ledger import LedgerWriter
from contract.log_lines import set_up_logging
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue

DISK_FAULTS = frozenset({errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT})


def run_worker(
    fleet_name: str | None,
    *,
    until_empty: bool = False,
    job: str | None = None,
    most_received: int | None = None,
    **given: Any,
) -> ExitCode:
    """Run one worker of a fleet in this process."""
    settings = Settings.from_env(os.environ, **given)
    fleet, store, queues = open_fleet(fleet_name, settings, job)
    worker = worker_name(settings)
    set_up_logging(bound={"worker": worker})
    signals = SignalNotice()
    signals.install()
    finished = all_explained(store, job) if until_empty else None
    if most_received is not None:
        finished = nothing_waits
    parts = build_parts(settings, fleet, store, queues, worker=worker)
    if reason := why_unfit(machine_checks(machine(settings, fleet.stac_url), os.environ, store.now())):
        parts.state.on_unfit(reason)  # before the first tile: it says so in heartbeat and ledger, and leaves
    return build_worker(parts, signals=signals, is_finished=finished, most_received=most_received).run()


def run_slots(
    fleet_name: str | None, *, asked: str, until_empty: bool = False, job: str | None = None, **given: Any
) -> ExitCode:
    """Run one worker per slot of this machine, each a process, under a supervisor in this one."""
    settings = Settings.from_env(os.environ, **given)
    slots = plan_slots(asked, cores_in_order(), slot_gpus(os.environ), settings.memory_bytes)
    open_fleet(fleet_name, settings, job)  # a mistake is said once, and not by every slot
    name = worker_name(settings)
    set_up_logging(bound={"worker": name})
    signals = SignalNotice()
    signals.install()
    environ = {**os.environ, **settings.as_environ("grace_seconds", "weights")}
    halt = HaltFile(settings.halt_file)

    def scratch(slot: Slot) -> Path:
        return settings.scratch_folder / f"{name}-s{slot.number}"

    arguments = slot_arguments(fleet_name, until_empty=until_empty, job=job)
    return Supervisor(
        slots,
        lambda slot: start_slot(
            slot,
            slot_command(slot, os.getpid(), arguments),
            slot_environ(environ, slot, name=name, scratch=scratch(slot)),
        ),
        scratch=scratch,
        kill_seconds=settings.grace_seconds + KILL_AFTER_GRACE_SECONDS,
        signals=signals,
        notice=lambda: "halt file" if halt.is_there() else "",
    ).run()


def run_selftest(
    fleet_name: str | None, recipe: str, parameters: Mapping[str, str], **given: Any
) -> ExitCode:
    """Look at this machine as a worker would before its first tile, and print what was found."""
    settings = Settings.from_env(os.environ, **given)
    here = machine(settings, NO_CATALOGUE)
    checks = machine_checks(here, os.environ, storage_clock(fleet_name))
    return report([*checks, recipe_check(recipe, parameters, here)])


def storage_clock(fleet_name: str | None) -> datetime | None:
    """The storage's clock; None when no fleet was chosen and none runs here."""
    try:
        fleet = choose_fleet(fleet_name, os.environ, Path.cwd())
    except BadInput:
        if fleet_name or os.environ.get(FLEET_VARIABLE):
            raise
        return None
    sys.stderr.write(f"{fleet.target_line}\n")
    return AzureBlobStore(AzureClients(storage_endpoints(fleet))).now()


def open_fleet(
    fleet_name: str | None, settings: Settings, job: str | None
) -> tuple[Fleet, AzureBlobStore, FleetQueues]:
    """The fleet's storage, seen to answer; BadInput or StorageError says what is missing."""
    fleet = choose_fleet(fleet_name, os.environ, Path.cwd())
    sys.stderr.write(f"{fleet.target_line}\n")
    clients = AzureClients(storage_endpoints(fleet))
    store = AzureBlobStore(clients)
    names = queue_names(fleet.name)
    queues = FleetQueues(
        AzureTileQueue(clients, names.tiles),
        AzureTileQueue(clients, names.urgent),
        AzureTileQueue(clients, names.poison),
    )
    for queue in (queues.tiles, queues.urgent, queues.poison):
        queue.depth()  # no storage, no queue, no right: said now, in one sentence
    for folder in (settings.cache_folder, settings.scratch_folder):
        check_folder(folder)
    if job is not None:
        read_job(store, job)
    return fleet, store, queues


def worker_name(settings: Settings) -> str:
    """As set, or one that nobody else has at this moment."""
    return settings.worker or default_name(socket.gethostname(), os.getpid())


def default_name(host: str, pid: int) -> str:
    """A name of the characters that heartbeats and messages take, whatever the host is called."""
    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', host).strip('.-')[:60] or 'worker'}-{pid}"


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


def build_parts(
    settings: Settings,
    fleet: Fleet,
    store: BlobStore,
    queues: FleetQueues,
    *,
    worker: str,
    patience: Patience = Patience(),  # noqa: B008 - a frozen value
) -> Parts:
    """Put the parts together, over any storage."""
    state = SharedState(settings)
    keeper = LeaseKeeper(
        queues,
        lease_seconds=settings.lease_seconds,
        limit_seconds=state.limit_seconds,
        on_stuck=state.on_stuck,
    )
    budget = ByteBudget(settings.memory_bytes)
    reporter = build_reporter(settings, store, state, keeper, budget, worker)
    settle = SettleStage(
        store=store,
        queues=queues,
        keeper=keeper,
        budget=budget,
        reporter=reporter,
        patience=patience,
        worker=worker,
        is_evicted=state.is_evicted,
        on_unfit=state.on_unfit,
        on_settled=state.on_settled,
    )
    datasets = OpenDatasets(store, machine(settings, fleet.stac_url))
    upload = UploadStage(store, settings.scratch_folder, worker)
    jobs = JobWatch(store)
    steps = Steps(
        download=DownloadStage(store, jobs, datasets, budget),
        prepare=PrepareStage(jobs, keeper),
        infer=InferStage(state.busy),
        upload=lambda work: patience.call(lambda: upload(work), work),
        settle=settle,
    )
    return Parts(
        state=state,
        receive=ReceiveStage(queues, store, keeper, reporter),
        steps=steps,
        keeper=keeper,
        budget=budget,
        reporter=reporter,
        leaving=Leaving(queues, keeper, reporter, worker, state.expected_infer_seconds),
    )


def build_worker(
    parts: Parts,
    *,
    signals: SignalNotice,
    is_finished: Callable[[], bool] | None = None,
    most_received: int | None = None,
    end_process: Callable[[int], None] = end_process,
) -> Worker:
    """The parts with their threads, not started yet."""
    return Worker(
        parts.state,
        receive=parts.receive,
        steps=parts.steps,
        keeper=parts.keeper,
        budget=parts.budget,
        reporter=parts.reporter,
        leaving=parts.leaving,
        signals=signals,
        is_finished=is_finished,
        most_received=most_received,
        end_process=end_process,
    )


def build_reporter(
    settings: Settings,
    store: BlobStore,
    state: SharedState,
    keeper: LeaseKeeper,
    budget: ByteBudget,
    worker: str,
) -> Reporter:
    """The ledger stream and heartbeat of this process."""
    identity = Identity(
        worker, socket.gethostname(), boot_id(), datetime.now(UTC).isoformat(timespec="seconds")
    )
    stream = f"{worker}-{identity.boot_id[:8]}-{time.time_ns() // 1_000_000:x}"
    return Reporter(
        store,
        LedgerWriter(store, stream, bound={"worker": worker, "vm": identity.vm}),
        identity,
        keeper=keeper,
        budget=budget,
        meter=LoadMeter(),
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
    )


def check_folder(folder: Path) -> None:
    """BadInput for a folder that cannot be used; a disk that fails is another matter."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno in DISK_FAULTS:
            return  # no mistake of a person: the look at the machine finds it again, and the worker is unfit
        raise BadInput(f"{folder} cannot be written: {error.strerror}; name another folder") from error


def nothing_waits() -> bool:
    """For `consumer once`: asked when a receive brought nothing, which is the answer."""
    return True


def all_explained(store: BlobStore, job: str | None) -> Callable[[], bool]:
    """Whether all asked tiles (of one job, or of all) are committed or explained, looked up now and then."""
    checked_at = float("-inf")

    def is_finished() -> bool:
        nonlocal checked_at
        if time.monotonic() - checked_at < UNTIL_EMPTY_CHECK_SECONDS:
            return False
        checked_at = time.monotonic()
        try:
            ids = [job] if job is not None else [record.id for record in list_jobs(store)]
            return all(completion(store, job_id).is_complete for job_id in ids)
        except NotFound:
            return False  # a job is being written at this moment

    return is_finished


def boot_id() -> str:
    """Of this machine's current boot, as the kernel names it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
