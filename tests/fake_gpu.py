"""An `nvidia-smi` that says what a test wants: a real executable, found on PATH before any other."""

from __future__ import annotations

import os
from pathlib import Path

HEALTHY = "GPU-fake, NVIDIA A10-24Q, 00000000:65:00.0, 24512, 0, No\n"


class FakeGpu:
    """One machine's driver, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._answer = folder / "answer.sh"
        tool = folder / "nvidia-smi"
        tool.write_text(f'#!/bin/sh\ncase "$1" in *utilization*) echo 50; exit;; esac\n. {self._answer}\n')
        tool.chmod(0o755)
        self.path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        self.says(HEALTHY)

    def says(self, text: str) -> None:
        """Answer the query so from now on."""
        self._write(f"printf '%s' '{text}'")

    def fails(self, sentence: str) -> None:
        self._write(f"echo '{sentence}' >&2; exit 15")

    def stammers(self) -> None:
        """Answer bytes that are no text."""
        self._write(r"printf '\377\376'")

    def hangs(self) -> None:
        """Answer nothing, and leave a child behind that keeps the pipe open."""
        self._write("sleep 60 & sleep 60")

    def _write(self, script: str) -> None:
        new = self._answer.with_suffix(".new")
        new.write_text(f"{script}\n")
        new.replace(self._answer)
