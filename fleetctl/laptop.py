"""The laptop cloud as a child process: no program imports it, and an operator types one command fewer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from contract.errors import BadInput
from fleetctl.exit_codes import ExitCode


def run_laptop_cloud(words: Sequence[str]) -> int:
    """Run `laptop-cloud WORDS...` to its end; its status. BadInput where it is not installed.

    It hears of a Ctrl-C from us and not from the terminal: a second signal would break into its leaving in order.
    """
    if find_spec("laptop_cloud") is None:
        raise BadInput("the laptop cloud is not installed here: `make setup` installs it")
    child = subprocess.Popen([sys.executable, "-m", "laptop_cloud", *words], process_group=0)  # noqa: S603 - no shell reads it
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        return ExitCode.INTERRUPTED
