"""Install the pinned torch into the environment whose Python runs this: the build that suits the machine.

    .venv/bin/python tools/install_torch.py [--build auto|cpu|cuda]

No lock file can hold torch, because its CPU and CUDA builds are one version with different hashes. So it
is pinned here. The light CPU build is no part of PyPI; uv knows where it lives, so that no file of ours
names an address. Everything that the CPU build needs is in the lock (extra `torch-needs`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

TORCH_VERSION = "2.13.0"
UV_REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "uv.txt"
CUDA_BUILD_NOTE = (
    "This is the build for NVIDIA GPUs, several gigabytes larger; without a GPU it works as well."
)


@dataclass(frozen=True)
class Attempt:
    """One way to get torch: its commands run in order, and the first that fails ends the attempt."""

    says: str
    commands: tuple[tuple[str, ...], ...]
    is_worth_a_try: bool = False
    """A mere question whether the user's own package sources have it: its failure is no news."""


def has_nvidia_gpu() -> bool:
    """Whether an NVIDIA driver has made itself known on this machine."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def is_right_build(installed: str | None, *, wants_cuda: bool) -> bool:
    """Whether an installed version such as `2.13.0+cpu` will do. A CUDA build also serves without a GPU."""
    if installed is None:
        return False
    version, _, build = installed.partition("+")
    return version == TORCH_VERSION and not (wants_cuda and build == "cpu")


def attempts(*, wants_cuda: bool, is_linux: bool, python: str, uv_folder: str) -> list[Attempt]:
    """The ways to install torch into `python`'s environment, best first; `uv_folder` is a place for uv."""
    pip = (python, "-m", "pip", "install")
    plain = Attempt(f"torch {TORCH_VERSION} from the package index", ((*pip, f"torch=={TORCH_VERSION}"),))
    if not is_linux:
        return [plain]  # elsewhere the index has one build only
    get_uv = (*pip, "-qq", "--target", uv_folder, "--require-hashes", "-r", str(UV_REQUIREMENTS))
    uv = (f"{uv_folder}/bin/uv", "pip", "install", "--python", python, f"torch=={TORCH_VERSION}")
    if wants_cuda:
        return [
            Attempt(
                f"torch {TORCH_VERSION}, the CUDA build for this machine's driver",
                (get_uv, (*uv, "--torch-backend=auto")),
            ),
            plain,
        ]
    return [
        Attempt(
            f"torch {TORCH_VERSION}, the CPU build from your own package sources",
            ((*pip, "--quiet", "--no-deps", f"torch=={TORCH_VERSION}+cpu"),),
            is_worth_a_try=True,
        ),
        # Without its dependencies: they are installed already, from the lock.
        Attempt(f"torch {TORCH_VERSION}, the CPU build", (get_uv, (*uv, "--torch-backend=cpu", "--no-deps"))),
        Attempt(f"{plain.says}. {CUDA_BUILD_NOTE}", plain.commands),
    ]


def installed_version() -> str | None:
    """The version in this environment with its build, or None; read without importing torch."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None


def succeeds(attempt: Attempt) -> bool:
    """Carry one attempt out with its progress visible; one that is merely worth a try fails silently."""
    if not attempt.is_worth_a_try:
        print(f"Installing {attempt.says}", flush=True)
    # Someone else's active environment must not draw uv away from the one that we name.
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    errors = subprocess.DEVNULL if attempt.is_worth_a_try else None
    for command in attempt.commands:
        if subprocess.run(command, env=environ, stderr=errors, check=False).returncode != 0:
            if not attempt.is_worth_a_try:
                print(f"That did not work: {attempt.says}", flush=True)
            return False
    return True


def main() -> int:
    """Install torch unless the right build is there; the exit status says whether it is there now."""
    parser = argparse.ArgumentParser(description="Install the pinned torch.")
    parser.add_argument("--build", choices=("auto", "cpu", "cuda"), default="auto")
    build = parser.parse_args().build
    wants_cuda = build == "cuda" or (build == "auto" and has_nvidia_gpu())
    before = installed_version()
    if is_right_build(before, wants_cuda=wants_cuda):
        return 0
    if before is not None:
        # `2.13.0+cpu` satisfies `==2.13.0`: an installer asked for the CUDA build would leave it as it is.
        subprocess.run([sys.executable, "-m", "pip", "uninstall", "--yes", "--quiet", "torch"], check=True)
    with tempfile.TemporaryDirectory(prefix="tilefleet-uv-") as uv_folder:
        ways = attempts(
            wants_cuda=wants_cuda,
            is_linux=sys.platform == "linux",
            python=sys.executable,
            uv_folder=uv_folder,
        )
        if any(succeeds(attempt) for attempt in ways):
            return 0
    print(
        f"torch {TORCH_VERSION} could not be installed, for the reasons above; "
        "check the network and pip's settings, then run `make torch` again",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
