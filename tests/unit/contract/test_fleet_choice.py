"""Which fleet is meant: what was typed, else the variable, else what `fleetctl use` remembered, else the laptop's."""

from __future__ import annotations

import os

import pytest

from contract.errors import BadInput
from contract.fleet import CHOICE_FILE, choose_fleet, chosen_name, running_toml
from fleetctl.launch.choice import forget_choice, remember_choice

FILE = """name = "{name}"
kind = "azure"
location = "westeurope"
[storage]
queue_url = "https://a.queue.core.windows.net"
blob_url = "https://a.blob.core.windows.net"
container = "c"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fleets").mkdir()
    for name in ("uk", "france", "peru"):
        (tmp_path / "fleets" / f"{name}.toml").write_text(FILE.format(name=name))
    return tmp_path


def test_what_is_typed_goes_before_the_variable_and_that_before_what_was_remembered(folder):
    remember_choice(folder, "uk")
    assert choose_fleet(None, {}, folder).name == "uk"
    assert choose_fleet(None, {"FLEET": "france"}, folder).name == "france"
    assert choose_fleet("peru", {"FLEET": "france"}, folder).name == "peru"


def test_a_remembered_fleet_goes_before_a_laptop_cloud_that_runs_until_it_is_forgotten(folder):
    laptop = choose_fleet("uk", {}, folder)
    running = running_toml(laptop, os.getpid()).replace('name = "uk"', 'name = "laptop"')
    (folder / ".laptop").mkdir()
    (folder / ".laptop" / "running.toml").write_text(running)
    assert choose_fleet(None, {}, folder).name == "laptop"
    remember_choice(folder, "uk")
    assert choose_fleet(None, {}, folder).name == "uk"
    assert forget_choice(folder)
    assert not forget_choice(folder)
    assert choose_fleet(None, {}, folder).name == "laptop"


def test_a_remembered_fleet_whose_file_is_gone_is_named(folder):
    remember_choice(folder, "chile")
    with pytest.raises(BadInput, match=r"there is no fleet file .*chile"):
        choose_fleet(None, {}, folder)


def test_a_choice_that_cannot_be_read_is_a_mistake_in_one_sentence(folder):
    (folder / CHOICE_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="`fleetctl use` writes it"):
        chosen_name(None, {}, folder)


def test_all_that_is_wrong_with_a_fleet_file_is_told_at_once_with_its_lines(folder):
    path = folder / "fleets" / "bad.toml"
    text = FILE.format(name="bad").replace('"azure"', '"aws"').replace("https://a.queue", "https://[a.queue")
    path.write_text(text.replace("[storage]", 'colour = "red"\n[storage]').replace('container = "c"\n', ""))
    with pytest.raises(BadInput) as caught:
        choose_fleet("bad", {}, folder)
    assert str(caught.value).splitlines() == [
        f"{path}, line 5: storage.container is missing",
        f"{path}, line 4: colour is unknown",
        f"{path}, line 2: kind 'aws' is neither azure nor laptop",
        f"{path}, line 6: queue_url 'https://[a.queue.core.windows.net' is no web address",
    ]


@pytest.mark.parametrize("content", [b'name = "x', b'pid = "many"', b"pid = []", b"\xff\xfe"])
def test_a_damaged_note_of_a_laptop_cloud_is_said_with_what_to_do(tmp_path, content):
    (tmp_path / ".laptop").mkdir()
    (tmp_path / ".laptop" / "running.toml").write_bytes(content)
    with pytest.raises(
        BadInput, match=r"is not what a laptop cloud writes .*: delete it, then start one here"
    ):
        choose_fleet(None, {}, tmp_path)
