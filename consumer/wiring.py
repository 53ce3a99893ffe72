"""The one place of this program that reads the environment and names concrete parts."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from consumer.cores import cores_in_order
from consumer.dead_man import DeadMan
from consumer.exit_codes import ExitCode
from consumer.fetch_tile import fetch_tile, read_request
from consumer.first_question import TOKEN_SECONDS, await_token
from consumer.fitness import why_unfit
from consumer.gpus import is_gpu_machine, slot_gpus
from consumer.notices.clouds import NO_CLOUD, make_source, name_in_cloud
from consumer.notices.halt_file import HaltFile
from consumer.notices.notice import Notice
from consumer.notices.poller import NoticePoller
from consumer.notices.signals import SignalNotice
from consumer.orders import Orders
from consumer.own_machine import RESOURCE_MANAGER, OwnMachine
from consumer.own_names import boot_id, host_name, worker_name
from consumer.parts import Parts, build_parts, build_worker, machine
from consumer.recent_lines import RecentLines
from consumer.selftest import NO_CATALOGUE, machine_checks, recipe_check, report, running_checks
from consumer.settings import Settings
from consumer.slot_process import slot_arguments, slot_command, slot_environ, start_slot
from consumer.slots import Slot, plan_slots
from consumer.supervisor import KILL_AFTER_GRACE_SECONDS, Supervisor
from consumer.until_empty import all_explained, nothing_waits
from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_store import BlobStore
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import BadInput
from contract.eviction import record_eviction
from contract.fleet import FLEET_VARIABLE, Fleet, choose_fleet
from contract.fleet_queues import FleetQueues
from contract.job_store import read_job
from contract.log_lines import set_up_logging
from contract.queue_names import queue_names
from contract.service_manager import ALIVE, READY, STOPPING, is_service, tell_service_manager
from contract.tile_queues.azure import AzureTileQueue

DEAD_MAN_SECONDS = 900.0
"""Three idle graces, as the controller has them."""
TOLD_TO_SLOTS = ("grace_seconds", "weights", "vm", "boot_id", "dead_man_seconds")
"""What a supervisor found out for all of its slots."""
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
    worker = settings.worker or worker_name(socket.gethostname(), os.getpid())
    recent = RecentLines()
    set_up_logging(bound={"worker": worker}, also=[recent])
    settings = with_machine(settings, fleet)
    signals = SignalNotice()
    signals.install()
    finished = all_explained(store, job) if until_empty else None
    if most_received is not None:
        finished = nothing_waits
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    here = machine(settings, fleet.stac_url)
    parts = build_parts(
        settings,
        fleet,
        store,
        queues,
        worker=worker,
        gpu=gpu,
        recent=recent,
        show_life=lambda: tell_service_manager(os.environ, ALIVE),
        look=lambda: running_checks(here, os.environ, store.now()),
    )
    if reason := why_unfit(machine_checks(here, os.environ, store.now())):
        parts.state.on_unfit(reason)  # before the first tile: it says so in heartbeat and ledger, and leaves
    poller = notice_poller(settings, store, seen_by="worker")
    worker_of_parts = build_worker(
        parts, signals=signals, notices=poller.look, is_finished=finished, most_received=most_received
    )
    stop_dead_man = start_dead_man(parts, store)
    tell_service_manager(os.environ, READY)
    try:
        return worker_of_parts.run()
    finally:
        stop_dead_man()
        tell_service_manager(os.environ, STOPPING)
        poller.finish()


def run_slots(
    fleet_name: str | None, *, asked: str, until_empty: bool = False, job: str | None = None, **given: Any
) -> ExitCode:
    """Run one worker per slot of this machine, each a process, under a supervisor in this one."""
    settings = Settings.from_env(os.environ, **given)
    gpus, may_lack = slot_gpus(os.environ), is_gpu_machine(os.environ)
    slots = plan_slots(asked, cores_in_order(), gpus, settings.memory_bytes, may_lack_gpus=may_lack)
    fleet, store, _ = open_fleet(fleet_name, settings, job)  # a mistake is said once, and not by every slot
    name = settings.worker or worker_name(socket.gethostname(), os.getpid())
    set_up_logging(bound={"worker": name})
    signals = SignalNotice()
    signals.install()
    settings = with_machine(settings, fleet)
    environ = {**os.environ, **settings.as_environ(*TOLD_TO_SLOTS)}
    halt = HaltFile(settings.halt_file, settings.grace_seconds)
    poller = notice_poller(settings, store, seen_by="supervisor")

    def scratch(slot: Slot) -> Path:
        return settings.scratch_folder / f"{name}-s{slot.number}"

    arguments = slot_arguments(fleet_name, until_empty=until_empty, job=job)
    supervisor = Supervisor(
        slots,
        lambda slot, life: start_slot(
            slot,
            slot_command(slot, os.getpid(), arguments),
            slot_environ(environ, slot, name=name, scratch=scratch(slot), life=life),
        ),
        scratch=scratch,
        kill_seconds=settings.grace_seconds + KILL_AFTER_GRACE_SECONDS,
        signals=signals,
        notice=Orders([halt.look, poller.look]).look,
        show_life=lambda: tell_service_manager(os.environ, ALIVE),
    )
    tell_service_manager(os.environ, READY)
    try:
        return supervisor.run()
    finally:
        tell_service_manager(os.environ, STOPPING)
        poller.finish()


def with_machine(settings: Settings, fleet: Fleet) -> Settings:
    """The settings with what they leave open about this machine looked up: whose notices count, what it is
    called, which boot this is, and how long it waits for a lost controller. Slots are told by their supervisor,
    because they ask no cloud for notices themselves."""
    cloud = settings.notices or (NO_CLOUD if fleet.is_laptop else "azure")
    vm = settings.vm or name_in_cloud(cloud, settings.metadata_url) or host_name()
    dead_man_seconds = settings.dead_man_seconds
    if dead_man_seconds is None:
        dead_man_seconds = DEAD_MAN_SECONDS if cloud == "azure" else 0.0
    found = {"notices": cloud, "vm": vm, "boot_id": settings.boot_id or boot_id()}
    return settings.model_copy(update={**found, "dead_man_seconds": dead_man_seconds})


def start_dead_man(parts: Parts, store: BlobStore) -> Callable[[], None]:
    """Start the dead man's switch unless it is never to act; what ends it."""
    stop = threading.Event()
    switch = dead_man(parts.state.settings, store, is_busy=lambda: bool(parts.state.in_hand()))
    if switch is not None:
        threading.Thread(target=switch.run, args=(stop,), name="dead-man", daemon=True).start()
    return stop.set


def dead_man(settings: Settings, store: BlobStore, *, is_busy: Callable[[], bool]) -> DeadMan | None:
    """This machine's switch; None when it is never to act."""
    if not settings.dead_man_seconds:
        return None
    deallocate = OwnMachine(settings.metadata_url, settings.resource_manager_url or RESOURCE_MANAGER)
    return DeadMan(store, settings.vm, settings.boot_id, settings.dead_man_seconds, is_busy, deallocate)


def run_dead_man(fleet_name: str | None) -> ExitCode:
    """Only the switch, until the machine is gone: for one whose workers ended for good. Done when it is never to
    act. It asks nothing before its first look, so that no trouble of the start ends it."""
    settings = Settings.from_env(os.environ)
    fleet = choose_fleet(fleet_name, os.environ, Path.cwd())
    sys.stderr.write(f"{fleet.target_line}\n")
    settings = with_machine(settings, fleet)
    set_up_logging(bound={"vm": settings.vm})
    store = AzureBlobStore(AzureClients(storage_endpoints(fleet)))
    switch = dead_man(settings, store, is_busy=lambda: False)
    if switch is not None:
        switch.run(threading.Event())
    return ExitCode.DONE


def notice_poller(settings: Settings, store: BlobStore, *, seen_by: str) -> NoticePoller:
    """The machine's poller, polling unless there is no cloud to ask; an eviction is recorded when it is seen."""

    def record(notice: Notice) -> None:
        record_eviction(store, settings.vm, settings.boot_id, seen_by=seen_by, reason=notice.reason)

    cloud = settings.notices or NO_CLOUD
    poller = NoticePoller(lambda: make_source(cloud, settings.metadata_url), record)
    if cloud != NO_CLOUD:
        poller.start()
    return poller


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


def run_fetch(
    fleet_name: str | None,
    recipe: str,
    tile: str,
    year: int,
    output: Path,
    *,
    settings: Mapping[str, str],
    land: Path | None,
) -> int:
    """Fetch one tile's cube from a fleet's catalogue; its storage is not touched."""
    fleet = choose_fleet(fleet_name, os.environ, Path.cwd())
    sys.stderr.write(f"{fleet.target_line}\n")
    request = read_request(
        tile,
        year,
        output,
        stac_url=fleet.stac_url,
        cache_folder=Settings.from_env(os.environ).cache_folder,
        settings=settings,
        land=land,
    )
    return fetch_tile(recipe, request)


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
        # No storage, no queue, no right: said now, in one sentence.
        await_token(queue.depth, limit_seconds=TOKEN_SECONDS if is_service(os.environ) else 0.0)
    for folder in (settings.cache_folder, settings.scratch_folder):
        check_folder(folder)
    check_weights(settings.weights)
    if job is not None:
        read_job(store, job)
    return fleet, store, queues


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


def check_weights(path: Path | None) -> None:
    """BadInput for a weights file that was named and is not there; None: none was."""
    if path is not None and not path.is_file():
        raise BadInput(f"there is no weights file at {path}; leave it out to use what the dataset stores")
