"""Install Azurite below a folder, with Node.js from PATH or, where that is missing or too old, from a wheel.

.venv/bin/python tools/install_azurite.py .laptop
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

from contract.errors import BadInput, TilefleetError
from laptop_cloud import azurite
from laptop_cloud.node_runtime import find_node

NODE_REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "node.txt"


def provide_node() -> None:
    """Leave the environment with a Node.js that `find_node` accepts."""
    try:
        find_node()
    except BadInput:
        print("No recent Node.js on PATH: installing it as a Python wheel", flush=True)
        pip = (sys.executable, "-m", "pip", "install", "-qq", "--require-hashes", "--no-deps")
        subprocess.run([*pip, "-r", str(NODE_REQUIREMENTS)], check=True)
        importlib.invalidate_caches()


def main() -> int:
    """Install unless the locked version is there."""
    provide_node()
    try:
        azurite.install(Path(sys.argv[1]))
    except TilefleetError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
