"""A VM's temporary disk: gone when the VM is deallocated, and of a limited size where the kernel allows it.

The limited one is a tmpfs in a mount namespace of the VM's own, which needs no rights of an administrator. An
open handle on the namespace keeps it between two services of one boot, and closing it is the loss of the disk.
To fill it, its size is cut down to what is used: every further write then meets a real ENOSPC, and no memory
is spent on that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from contract.errors import BadInput

COMMAND_SECONDS = 20
_MOUNT = 'mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1" && echo mounted && read _'
# A page is written first, since a size of 0 would mean no limit. Five times, because the VM writes meanwhile.
_FILL = """
printf . > "$1/.filled" || exit 0
for turn in 1 2 3 4 5; do
    used=$(df --block-size=1 --output=used "$1" | tail -n 1)
    mount -o "remount,size=$((used))" "$1" && exit 0
done
exit 1
"""
_EMPTY = 'mount -o "remount,size=$2" "$1" && rm -f "$1/.filled"'


class CannotFill(BadInput):
    """This VM's temporary disk has no size of its own."""


class TemporaryDisk(Protocol):
    """What a VM needs of one."""

    @property
    def folder(self) -> Path:
        """Where the VM finds it."""
        ...

    def attach(self) -> None:
        """An empty disk, unless it is attached already. OSError when that cannot be."""
        ...

    def entry(self) -> tuple[list[str], tuple[int, ...]]:
        """What a command is put behind to see the disk, and the file descriptors that it needs."""
        ...

    def fill(self) -> None:
        """From now on every write fails for want of space. CannotFill where that cannot be had."""
        ...

    def relieve(self) -> None:
        """There is room again; harmless on a disk that has it."""
        ...

    def wipe(self) -> None:
        """All is lost, as on deallocation. A second call is harmless."""
        ...


class FolderDisk:
    """A folder: as large as the disk that it lies on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def attach(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def entry(self) -> tuple[list[str], tuple[int, ...]]:
        return [], ()

    def fill(self) -> None:
        raise CannotFill(
            f"{self.folder} is as large as this machine's own disk and is not filled: this kernel lets an "
            f"ordinary user mount no small one"
        )

    def relieve(self) -> None:
        """It always has room."""

    def wipe(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class SmallDisk:
    """A tmpfs that only the VM's processes see; its folder looks empty from outside."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.folder = folder
        self._size_bytes = size_bytes
        self._handles: tuple[int, int] | None = None
        """Of the user and the mount namespace."""

    def attach(self) -> None:
        if self._handles is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        holder = subprocess.Popen(
            [
                *("unshare", "--user", "--map-root-user", "--mount"),
                *("sh", "-c", _MOUNT, "sh", str(self.folder), str(self._size_bytes)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with holder:
            assert holder.stdout is not None
            if holder.stdout.readline() != b"mounted\n":
                assert holder.stderr is not None
                raise OSError(f"no small disk can be mounted: {holder.stderr.read().decode().strip()}")
            self._handles = (
                os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC),
                os.open(f"/proc/{holder.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC),
            )

    def entry(self) -> tuple[list[str], tuple[int, ...]]:
        if self._handles is None:
            raise OSError(f"{self.folder} is not attached")
        user, mount = self._handles
        command = [
            *("nsenter", "--preserve-credentials"),
            *(f"--user=/proc/self/fd/{user}", f"--mount=/proc/self/fd/{mount}", "--"),
            # Another mount namespace begins at its root.
            *("env", f"--chdir={Path.cwd()}"),
        ]
        return command, self._handles

    def fill(self) -> None:
        self._run(_FILL, str(self.folder))

    def relieve(self) -> None:
        if self._handles is not None:
            self._run(_EMPTY, str(self.folder), str(self._size_bytes))

    def wipe(self) -> None:
        handles, self._handles = self._handles, None
        for handle in handles or ():
            os.close(handle)

    def _run(self, script: str, *arguments: str) -> None:
        try:
            command, handles = self.entry()
        except OSError as error:
            raise CannotFill(f"{error}: start the VM first") from error
        done = subprocess.run(
            [*command, "sh", "-c", script, "sh", *arguments],
            pass_fds=handles,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise CannotFill(f"{self.folder} could not be resized: {done.stderr.strip()}")


def can_be_small(folder: Path) -> bool:
    """Whether this kernel lets us have a disk of limited size; `folder` is used to find out."""
    if not all(shutil.which(tool) for tool in ("unshare", "nsenter", "mount", "env")):
        return False
    disk = SmallDisk(folder, 1024**2)
    try:
        disk.attach()
    except OSError:
        return False
    disk.wipe()
    return True
