"""A laptop's machine reads the user data that fleetctl orders machines with, and no more of it than it can honour."""

import base64

import pytest

from contract.errors import BadInput
from contract.fleet import Fleet, read_fleet_file
from fleetctl.cloud.user_data import FLEET_FILE, worker_user_data
from laptop_cloud.machines.cloud_init import place_on, service_variables, write_files, written_files

FLEET = Fleet(
    "uk", "laptop", "here", "http://127.0.0.1:1/q", "http://127.0.0.1:2/b", "cal", "http://127.0.0.1:3"
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_files_of_a_worker_lie_on_its_disk_and_its_variables_name_them(tmp_path):
    files = written_files(encoded(worker_user_data(FLEET, size="Standard_D2s_v5", slots=3)))
    write_files(files, tmp_path)
    variables = service_variables(files)
    assert read_fleet_file(place_on(tmp_path, variables["FLEET"])) == FLEET
    assert variables["FLEET"] == FLEET_FILE
    assert (variables["SLOTS"], variables["TILEFLEET_CONSUMER_DEVICE"]) == ("3", "cpu")


@pytest.mark.parametrize("text", ["", "#!/bin/sh\nrm -rf /\n", "#cloud-config\nssh_pwauth: false\n"])
def test_what_writes_no_files_is_passed_over(text):
    assert written_files(encoded(text)) == {}


@pytest.mark.parametrize(
    "user_data",
    [
        "not base64 at all",
        encoded("#cloud-config\nwrite_files: [\n"),
        encoded("#cloud-config\nwrite_files: 3\n"),
        encoded("#cloud-config\n- a list\n"),
        encoded("#cloud-config\nwrite_files: [{path: /etc/x}]\n"),
        encoded("#cloud-config\nwrite_files: [{path: ../x, content: a}]\n"),
        encoded("#cloud-config\nwrite_files: [{path: /etc/../../x, content: a}]\n"),
    ],
)
def test_what_cannot_be_read_or_would_leave_the_disk_is_refused(user_data):
    with pytest.raises(BadInput, match="the user data"):
        written_files(user_data)


def test_a_service_whose_variables_nobody_writes_is_refused():
    with pytest.raises(BadInput, match="does not write"):
        service_variables({"/etc/x.service": "[Service]\nEnvironmentFile=/etc/nowhere.env\n"})
