"""The `producer` command as it is typed: exits, sentences, and nothing enqueued by a mistake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contract.fleet import Fleet
from contract.job_store import list_jobs
from producer import wiring
from producer.cli import app
from producer.enqueue import Storage
from producer.exit_codes import ExitCode
from tests.producer_rig import Rig

pytestmark = pytest.mark.slow

Command = Callable[..., Result]


@pytest.fixture
def rig() -> Rig:
    return Rig(lambda: 1_000_000.0)


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    """An Azure fleet whose addresses nobody asks in these tests."""
    path = tmp_path / "toy.toml"
    path.write_text(
        'name = "toy"\nkind = "azure"\nlocation = "westeurope"\n[storage]\ncontainer = "c"\n'
        'queue_url = "https://a.queue.core.windows.net"\nblob_url = "https://a.blob.core.windows.net"\n'
    )
    return path


@pytest.fixture
def command(rig: Rig, fleet_file: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `producer` on a simulated storage."""

    @contextmanager
    def connected(_fleet: Fleet, _settings: object) -> Iterator[Storage]:
        yield rig.client()

    monkeypatch.setattr(wiring, "connected", connected)
    monkeypatch.setenv("FLEET", str(fleet_file))
    for variable in ("TILEFLEET_BOUNDARIES", "TILEFLEET_STORAGE_KEY", "TILEFLEET_LAPTOP"):
        monkeypatch.delenv(variable, raising=False)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Wals"], "did you mean Wales?"),
        (["Malta", "--exclude", "Malta"], "has no tile"),
        (["bbox:1,2,3"], "bbox"),
        (["{folder}/bad.txt"], "bad.txt"),
        (["{folder}/none.gpkg"], "none.gpkg"),
        (["{folder}/no_crs.geojson"], "no_crs"),
        (["Malta", "--exclude", "Atlantis"], "Atlantis"),
        (["Malta", "--boundaries", "{folder}/none.parquet"], "none.parquet"),
        (["Malta", "--year", "2099"], "2099 has not begun"),
        (["Malta", "--year", "1999"], "1999 is too early"),
        (["Malta", "--year", "soon"], "--year 'soon'"),
        (["Malta", "--recipe", "tesera"], "did you mean tessera"),
        (["Malta", "--set", "modle=v1.1"], "did you mean model"),
        (["Malta", "--set", "resolution=0"], "resolution=0 must be at least 10"),
        (["Malta", "--set", "weights={folder}/none.pt"], "no weights file"),
        (["Malta", "--job", "My Job"], "--job 'My Job'"),
        (["Malta", "--limit", "0"], "--limit 0"),
        (["Malta", "--like", "nothing-12345678"], "there is no job 'nothing-12345678'"),
        (["Malta", "--fleet", "nowhere"], "there is no fleet file"),
        (["Malta"], "--untrained"),
    ],
)
def test_bad_input_is_one_sentence_with_status_2_and_nothing_enqueued(
    command, rig, tmp_path, arguments, sentence
):
    (tmp_path / "bad.txt").write_text("grid_0.05_51.45\ngrid_0.1_51.4\n")
    (tmp_path / "no_crs.geojson").write_text("{}")
    typed = [argument.format(folder=tmp_path) for argument in arguments]

    result = command("enqueue", *typed)

    last = result.stderr.strip().splitlines()[-1]
    assert result.exit_code == ExitCode.BAD_INPUT
    assert last.startswith("producer: ")
    assert sentence in last
    assert result.stdout == ""
    assert rig.blobs() == []
    assert rig.client().queues.tiles.depth() == 0


@pytest.mark.parametrize(
    "arguments",
    [["enqueue"], ["enqueue", "Malta", "--foo"], ["frobnicate"], ["enqueue", "Malta", "--limit", "x"]],
)
def test_what_typer_does_not_know_has_status_2(command, arguments):
    assert command(*arguments).exit_code == ExitCode.BAD_INPUT


def test_the_target_is_said_first_and_the_year_is_printed(command):
    result = command("enqueue", "Malta", "--untrained", "--year", "2024")
    lines = result.stderr.splitlines()
    assert lines[0] == "target: azure toy (westeurope)"
    assert lines[1] == "year 2024"
    assert "untrained" in lines[2]
    assert result.exit_code == ExitCode.DONE


def test_enqueue_ends_with_job_counts_and_the_next_two_commands(command, rig):
    result = command("enqueue", "Malta", "--untrained")
    (job,) = list_jobs(rig.client().store)
    text = result.stderr
    assert f"job {job.id} (running): new 9, done 0, queued before 0" in text
    assert "9 tiles, 0 done or queued, 9 new" in text
    assert "next: consumer run --fleet toy" in text
    assert "fleetctl status --watch --fleet toy" in text
    assert result.stdout == f"{job.id}\n"
    assert "the last complete one" in text
    again = command("enqueue", "Malta", "--untrained")
    assert "9 tiles, 9 done or queued, 0 new" in again.stderr
    assert rig.client().queues.tiles.depth() == 9


def test_a_campaign_of_years_is_one_job_each(command, rig):
    result = command("enqueue", "Malta", "--untrained", "--year", "2023-2025")
    jobs = list(list_jobs(rig.client().store))
    assert [job.name for job in jobs] == ["malta-2023", "malta-2024", "malta-2025"]
    assert f"campaign {jobs[0].campaign}: 3 jobs" in result.stderr
    assert len(rig.messages()) == 27


def test_a_dry_run_says_what_would_be_and_writes_nothing(command, rig):
    result = command("enqueue", "Malta", "--untrained", "--dry-run", "--canary", "2")
    assert result.exit_code == ExitCode.DONE
    assert "9 tiles, 0 done or queued, 2 new (nothing was written: --dry-run), 7 wait" in result.stderr
    assert rig.blobs() == []


@pytest.mark.parametrize(
    ("words", "stored"), [((), 1), (("--second-attempts", "0"), 0), (("--second-attempts", "3"), 3)]
)
def test_idle_workers_may_try_a_slow_tile_once_unless_it_is_said_otherwise(command, rig, words, stored):
    command("enqueue", "Malta", "--untrained", *words)
    (job,) = list_jobs(rig.client().store)
    assert job.second_attempts == stored


def test_jobs_are_listed(command):
    assert "no jobs yet" in command("jobs").stderr
    command("enqueue", "Malta", "--untrained", "--urgent")
    listed = command("jobs").stdout
    assert "malta-2025-" in listed
    assert "running, urgent" in listed


def test_unknown_variables_of_ours_are_typos_and_other_programs_are_left_alone(command, monkeypatch):
    monkeypatch.setenv("TILEFLEET_CONSUMER_LEASE_SECONDS", "90")
    assert command("jobs").exit_code == ExitCode.DONE
    monkeypatch.setenv("TILEFLEET_PRODUCER_PROCESES", "2")
    monkeypatch.setenv("TILEFLEET_PRODUCER_CONNECTIONS", "many")
    result = command("jobs")
    assert result.exit_code == ExitCode.BAD_INPUT
    assert "did you mean TILEFLEET_PRODUCER_PROCESSES" in result.stderr


def test_tiles_prints_names_and_nothing_else(command, monkeypatch):
    monkeypatch.setenv("FLEET", "nowhere")
    result = command("tiles", "Isle of Man", "Malta", "--exclude", "Malta")
    assert result.exit_code == ExitCode.DONE
    assert len(result.stdout.splitlines()) == 18
    assert all(line.startswith("grid_") for line in result.stdout.splitlines())
    assert result.stderr == ""


def test_tiles_can_be_piped_into_an_enqueue(command, rig):
    result = CliRunner().invoke(app, ["enqueue", "-", "--untrained"], input="grid_0.05_51.45\n# London\n")
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert [message.tile.name for message in rig.messages()] == ["grid_0.05_51.45"]


@pytest.mark.slow
def test_tiles_for_a_reader_that_leaves_is_no_error():
    result = subprocess.run(
        f"set -o pipefail; {sys.executable} -m producer tiles UK | head -n 2",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr, len(result.stdout.splitlines())) == (0, "", 2)


@pytest.mark.slow
def test_no_storage_is_one_sentence(monkeypatch, fleet_file):
    fleet_file.write_text(
        'name = "toy"\nkind = "laptop"\nlocation = "here"\n[storage]\ncontainer = "c"\n'
        'queue_url = "http://127.0.0.1:9/dev"\nblob_url = "http://127.0.0.1:9/dev"\n'
    )
    monkeypatch.setenv("FLEET", str(fleet_file))
    result = CliRunner().invoke(app, ["enqueue", "Malta"])
    assert result.exit_code == ExitCode.BAD_INPUT
    assert "the storage does not answer" in result.stderr.splitlines()[-1]
