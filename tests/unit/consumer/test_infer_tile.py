"""`consumer infer`: one prepared folder to files."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from consumer.imagery.cube import Cube
from consumer.recipe_tools import chosen, recipe_tool
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.infer_folder import choose_source, open_folder
from contract.errors import BadInput
from tests.fleet_rig import wait_for
from tests.golden import small_tile, tiny_weights
from tests.prepared_folder import request, save_checkpoint

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def tile(tmp_path):
    """A prepared tile of 6 x 7 pixels."""
    folder = tmp_path / "grid_-4.55_54.15"
    small_tile().save(folder)
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    """A v1.1 checkpoint of a tiny network, as the published ones are laid out."""
    path = tmp_path / "tessera_mpc.pt"
    save_checkpoint(path)
    return path


def command(tile: Path, *words: str) -> list[str]:
    out = str(tile.parent / "out")
    return [sys.executable, "-m", "consumer", "infer", "--input", str(tile), "--output", out, *words]


def type_infer(tile: Path, *words: str, status: int = 0) -> str:
    answer = subprocess.run(
        command(tile, *words), capture_output=True, text=True, cwd=REPOSITORY, timeout=200, check=False
    )
    assert answer.returncode == status, answer.stderr
    assert "Traceback" not in answer.stderr
    return answer.stderr


@pytest.mark.slow
def test_the_files_hold_what_the_engine_says(tile, checkpoint):
    said = type_infer(tile, "--weights", str(checkpoint), "--model", "v1.1", "--save-float", "--threads", "1")
    out = tile.parent / "out"
    name = tile.name
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [f"{name}.npy", f"{name}_scales.npy", f"{name}_float.npy", f"{name}.json"]
    )
    quantised, scales, floats = (np.load(out / f"{name}{end}.npy") for end in ("", "_scales", "_float"))
    assert (quantised.dtype, quantised.shape) == (np.int8, (6, 7, 20))
    assert (scales.dtype, scales.shape) == (np.float32, (6, 7))
    assert (floats.dtype, floats.shape) == (np.float32, (6, 7, 20))
    expected = Engine(tiny_weights("v1.1"), threads=1).infer(small_tile())
    assert np.array_equal(quantised, expected.quantised)
    assert np.array_equal(scales, expected.scales)
    facts = json.loads((out / f"{name}.json").read_text())
    assert (facts["data_source"], facts["untrained"]) == ("mpc", False)
    assert facts["cube_sha256"] == small_tile().digest()
    assert "v1.1 with the statistics of mpc imagery (from the weights' name)" in said


@pytest.mark.slow
def test_untrained_weights_are_named_as_such_and_no_floats_are_written_unasked(tile):
    said = type_infer(tile, "--untrained", "--model", "v2-nano", "--dtype", "bf16")
    assert "untrained" in said
    names = {path.name for path in (tile.parent / "out").iterdir()}
    assert names == {f"{tile.name}.npy", f"{tile.name}_scales.npy", f"{tile.name}.json"}
    assert json.loads((tile.parent / "out" / f"{tile.name}.json").read_text())["untrained"] is True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_between_two_batches_and_leaves_no_files(tmp_path, number):
    tile = tmp_path / "large"
    small_tile(height=200, width=200).save(tile)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command(tile, "--untrained", "--model", "v1.1"), cwd=REPOSITORY, stderr=log, stdout=log
        )
    try:
        wait_for(lambda: catches(process.pid, signal.SIGTERM), "inference to begin")
        process.send_signal(number)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    assert list((tmp_path / "out").iterdir()) == []
    said = (tmp_path / "log").read_text()
    assert "nothing was written" in said
    assert "Traceback" not in said


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for that signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def test_files_apart_by_sensor_are_read_as_well(tile, checkpoint):
    for name, below in (("bands", "s2"), ("masks", "s2"), ("doys", "s2"), ("sar_ascending", "s1")):
        (tile / below).mkdir(exist_ok=True)
        shutil.move(tile / f"{name}.npy", tile / below / f"{name}.npy")
    opened = open_folder(request(tile, weights=checkpoint))
    assert (opened.name, opened.pixels) == (tile.name, 42)


@pytest.mark.parametrize("model", ["v1.1", "v2-nano"])
def test_a_tile_that_nobody_ever_saw_is_no_error(tmp_path, model):
    empty = small_tile(dates=2)
    cube = replace(
        empty,
        bands=empty.bands[:0],
        masks=empty.masks[:0],
        doys=empty.doys[:0],
        sar_ascending=empty.sar_ascending[:0],
        sar_ascending_doy=empty.sar_ascending_doy[:0],
        sar_descending=empty.sar_descending[:0],
        sar_descending_doy=empty.sar_descending_doy[:0],
    )
    weights = tiny_weights(model)
    result = Engine(weights, threads=1).infer(cube)
    assert (result.scales > 0).all() == (model == "v1.1")
    cube.save(tmp_path / "nothing")
    assert Cube.load(tmp_path / "nothing").digest() == cube.digest()


@pytest.mark.parametrize(
    ("weights", "said", "source"),
    [
        ("model.pt", None, "mpc"),
        ("model.pt", "aws", "aws"),
        ("tessera_v1_1_aws.pt", None, "aws"),
        ("Tessera-AWS-final.pt", None, "aws"),
        ("aws_and_mpc.pt", None, "mpc"),
        ("laws.pt", None, "mpc"),
    ],
)
def test_the_source_is_what_was_said_else_what_the_file_is_named_after(tile, weights, said, source):
    chosen, notes = choose_source(request(tile, weights=Path(weights), data_source=said))
    assert chosen == source
    assert f"statistics of {source} imagery" in notes[0]


def test_a_recipe_without_folders_says_so():
    with pytest.raises(BadInput, match="recipe toy cannot work on a prepared folder"):
        recipe_tool("toy", "infer_folder", purpose="work on a prepared folder")


def test_values_that_are_not_given_are_all_that_the_recipe_has():
    assert chosen("tessera", "dtype", []) == ["fp32", "bf16"]
    assert chosen("tessera", "model", ["v2-nano"]) == ["v2-nano"]
    assert chosen("toy", "model", []) == []
    with pytest.raises(BadInput, match=r"not one of v1\.1"):
        chosen("tessera", "model", ["v9"])
    with pytest.raises(BadInput, match="no parameter 'model'"):
        chosen("toy", "model", ["v1.1"])
