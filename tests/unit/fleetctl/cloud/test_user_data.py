"""What a machine is told at its first boot is read by cloud-init and systemd, fits, and holds no secret."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from consumer.cli import app
from consumer.settings import Settings
from contract.errors import BadInput
from contract.fleet import Fleet, parse_fleet
from fleetctl.cloud.create_body import MAX_USER_DATA_BYTES
from fleetctl.cloud.user_data import DEAD_MAN_UNIT, FLEET_FILE, UNIT, check_user_data, worker_user_data

FLEET = Fleet(
    name="uk",
    kind="azure",
    location="westeurope",
    queue_url="https://a.queue.core.windows.net",
    blob_url="https://a.blob.core.windows.net",
    container="tilefleet",
    storage_key="a-very-secret-key",
)
A10 = "Standard_NV36ads_A10_v5"


@pytest.fixture
def text():
    return worker_user_data(FLEET, size=A10, slots=2)


@pytest.fixture
def files(text):
    return {entry["path"]: entry["content"] for entry in yaml.safe_load(text)["write_files"]}


def test_the_fleet_file_that_a_machine_gets_is_the_operators_without_machines_and_money(files):
    written = parse_fleet(tomllib.loads(files[FLEET_FILE]), "there")
    assert written.queue_url == FLEET.queue_url
    assert written.name == "uk"
    assert not written.storage_key


@pytest.mark.parametrize(
    ("size", "device"), [(A10, "cuda"), ("Standard_D16s_v6", "cpu"), ("Standard_NC8as_T4_v3", "cuda")]
)
def test_the_environment_that_a_machine_gets_are_settings_that_its_worker_knows(size, device):
    entries = yaml.safe_load(worker_user_data(FLEET, size=size, slots=4))["write_files"]
    content = next(entry["content"] for entry in entries if entry["path"].endswith(".env"))
    environ = dict(line.split("=", 1) for line in content.splitlines())
    assert environ["SLOTS"] == "4"
    assert Settings.from_env(environ).device == device


def test_a_storage_key_never_reaches_a_machine(text):
    assert FLEET.storage_key not in text
    assert len(text.encode()) < MAX_USER_DATA_BYTES / 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("write_files: []\n", "does not begin with #cloud-config"),
        ("#cloud-config\nwrite_file: []\n", "unknown keys: write_file"),
        ("#cloud-config\n" + "#" * MAX_USER_DATA_BYTES, "bytes"),
        ("#cloud-config\nruncmd: ['curl https://a/b?sv=1&sig=abc']\n", "secret"),
        ("#cloud-config\nruncmd:\n - AccountKey=abc\n", "secret"),
    ],
)
def test_user_data_that_would_do_harm_is_refused(text, told):
    with pytest.raises(BadInput, match=told):
        check_user_data(text)


def test_the_units_exit_codes_are_the_consumers():
    from consumer.exit_codes import ExitCode
    from fleetctl.cloud.user_data import _template

    lines = dict(
        line.split("=", 1) for line in _template(UNIT).splitlines() if "=" in line and line[0] != "#"
    )
    assert set(map(int, lines["RestartPreventExitStatus"].split())) == {ExitCode.BAD_INPUT, ExitCode.UNFIT}
    assert int(lines["SuccessExitStatus"]) == ExitCode.EVICTED


def units(files):
    return {Path(path).name: content for path, content in files.items() if path.endswith(".service")}


def test_however_the_workers_end_for_good_the_switch_is_left(files):
    consumer, dead_man = units(files)[UNIT], units(files)[DEAD_MAN_UNIT]
    assert f"\nOnFailure={DEAD_MAN_UNIT}\n" in consumer
    assert f"\nOnSuccess={DEAD_MAN_UNIT}\n" in consumer
    (command,) = re.findall(r"^ExecStart=/opt/tilefleet/bin/consumer (\S+)$", dead_man, re.MULTILINE)
    assert command in typer.main.get_command(app).commands


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_understands_the_units(files, tmp_path):
    for name, content in units(files).items():
        (tmp_path / name).write_text(content.replace("/opt/tilefleet/bin/consumer", shutil.which("true")))
    checked = subprocess.run(
        ["systemd-analyze", "verify", *tmp_path.iterdir()],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "tilefleet" not in checked.stderr
    assert checked.returncode == 0


@pytest.mark.skipif(not shutil.which("cloud-init"), reason="there is no cloud-init here")
def test_cloud_init_understands_the_user_data(text, tmp_path):
    path = tmp_path / "user-data"
    path.write_text(text)
    subprocess.run(["cloud-init", "schema", "--config-file", path], check=True, timeout=60)
