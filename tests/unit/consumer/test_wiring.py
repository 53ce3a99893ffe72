"""What is checked and named before a worker starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from consumer.own_names import boot_id, host_name, worker_name
from consumer.settings import Settings
from consumer.slot_process import slot_environ
from consumer.slots import Slot
from consumer.wiring import DEAD_MAN_SECONDS, TOLD_TO_SLOTS, check_folder, check_weights, with_machine
from contract.errors import BadInput
from contract.fleet import Fleet
from contract.heartbeat import WORKER_PATTERN
from tests.metadata_rig import metadata_service


def test_a_folder_is_made_and_left_empty(tmp_path):
    folder = tmp_path / "a" / "b"
    check_folder(folder)
    check_folder(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInput, match="file"):
        check_folder(tmp_path / "file" / "scratch")


def test_weights_that_are_not_there_are_a_mistake(tmp_path):
    check_weights(None)
    with pytest.raises(BadInput, match="no weights file"):
        check_weights(tmp_path / "typed.pt")
    (tmp_path / "right.pt").touch()
    check_weights(tmp_path / "right.pt")


@pytest.mark.parametrize("host", ["vm-1.internal", "mein_rechner", "größe", "", "-x-", "h" * 300])
def test_every_host_gives_a_name_that_can_be_reported_and_told_to_slots(host):
    name = worker_name(host, 4_194_304)
    assert WORKER_PATTERN.fullmatch(name)
    slot = slot_environ({}, Slot(15, (0,), 2**30), name=name, scratch=Path("/tmp/s"))
    assert Settings.from_env(slot).worker == f"{name}-s15"


AZURE = Fleet("f", "azure", "here", "https://a.example/q", "https://a.example/b", "c")
LAPTOP = replace(AZURE, kind="laptop")


def test_a_machine_of_azure_is_called_as_azure_calls_it():
    with metadata_service() as service:
        service.be_azure("uk-west-3")
        settings = with_machine(Settings(metadata_url=service.url), AZURE)
    assert (settings.notices, settings.vm, settings.boot_id) == ("azure", "uk-west-3", boot_id())


def test_a_cloud_that_does_not_answer_keeps_nobody_from_working():
    with metadata_service() as service:
        settings = with_machine(Settings(metadata_url=service.url, boot_id="b1"), AZURE)
    assert (settings.vm, settings.boot_id) == (host_name(), "b1")


def test_on_a_laptop_no_cloud_is_asked_unless_it_is_named():
    settings = with_machine(Settings(metadata_url="http://127.0.0.1:9"), LAPTOP)
    assert (settings.notices, settings.vm) == ("none", host_name())
    assert with_machine(Settings(notices="aws", vm="v"), LAPTOP).notices == "aws"


def test_slots_learn_from_their_supervisor_how_long_to_wait_for_a_lost_controller():
    """They ask no cloud themselves, so they could not find out that there is one."""
    on_azure = with_machine(Settings(notices="azure", vm="v"), AZURE)
    slot = Settings.from_env({**on_azure.as_environ(*TOLD_TO_SLOTS), "TILEFLEET_CONSUMER_NOTICES": "none"})
    assert with_machine(slot, AZURE).dead_man_seconds == DEAD_MAN_SECONDS
    assert with_machine(Settings(vm="v"), LAPTOP).dead_man_seconds == 0
    assert with_machine(Settings(notices="azure", vm="v", dead_man_seconds=0), AZURE).dead_man_seconds == 0
