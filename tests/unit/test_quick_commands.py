"""A command loads what it needs: half a second of somebody's patience, and of each step of a drill, is a lot."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def loaded_by(*words: str) -> set[str]:
    """The modules that were loaded by a command that ended well."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines}


@pytest.mark.parametrize(
    ("command", "needless"),
    [
        ("producer tiles Malta", {"azure.core", "geopandas", "pandas", "pyogrio"}),
        ("fleetctl drill --help", {"azure.core", "numpy", "pandas", "pyarrow"}),
        ("laptop_cloud drill --list", {"azure.identity", "rasterio", "scipy"}),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_need(command, needless):
    assert loaded_by(*command.split()) & needless == set()
