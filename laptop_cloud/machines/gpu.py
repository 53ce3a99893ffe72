"""A GPU that is not there but can be sick: a marker file, and an `nvidia-smi` that reads it.

The marker is what the toy recipe looks at before it infers, as a poisoned CUDA context would show itself. A VM
that claims a GPU has `nvidia-smi` in its PATH besides, which counts memory errors once the marker is there, so
that a worker finds them before its first tile. A model cannot be computed on it: it is for the toy recipe.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SICK_VARIABLE = "LAPTOP_VM_SICK_GPU"
"""In every VM's environment: the marker's path."""
# As the consumer asks: uuid, name, bus, MiB, uncorrected errors since boot, pages that wait for retirement.
_NVIDIA_SMI = """#!/bin/sh
errors=0
if [ -e {marker} ]; then errors=1; fi
echo "{uuid}, Laptop GPU, 00000000:65:00.0, 16384, $errors, No"
"""


def is_sick(environ: Mapping[str, str]) -> bool:
    """Whether the GPU of the VM with this environment is sick; not on a VM, never."""
    marker = environ.get(SICK_VARIABLE, "")
    return bool(marker) and Path(marker).exists()


@dataclass(frozen=True, slots=True)
class PretendGpu:
    """The GPU of one VM, in a folder of its own."""

    vm: str
    folder: Path
    is_listed: bool = False
    """Whether the VM claims to have it."""

    @property
    def marker(self) -> Path:
        return self.folder / "sick"

    def environ(self, path: str) -> dict[str, str]:
        """For the VM's programs, whose PATH would else be `path`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environ = {SICK_VARIABLE: str(self.marker)}
        if not self.is_listed:
            return environ
        tool = self.folder / "nvidia-smi"
        tool.write_text(_NVIDIA_SMI.format(marker=shlex.quote(str(self.marker)), uuid=f"GPU-{self.vm}"))
        tool.chmod(0o755)
        return {**environ, "PATH": f"{self.folder}{os.pathsep}{path}"}

    def sicken(self) -> None:
        """From now on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.marker.touch()

    def heal(self) -> None:
        """Another host, another GPU; harmless on a sound one."""
        self.marker.unlink(missing_ok=True)
