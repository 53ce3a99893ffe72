"""The disk that a VM loses: seen by its own processes alone, and full when it is told to be."""

from __future__ import annotations

import subprocess

import pytest

from laptop_cloud.machines.temporary_disk import CannotFill, FolderDisk, SmallDisk, can_be_small

SIZE_BYTES = 8 * 1024**2


@pytest.fixture
def disk(tmp_path):
    if not can_be_small(tmp_path / "probe"):
        pytest.skip("this kernel lets an ordinary user mount nothing")
    made = SmallDisk(tmp_path / "temporary", SIZE_BYTES)
    made.attach()
    yield made
    made.wipe()


def inside(disk, script):
    command, handles = disk.entry()
    return subprocess.run(
        [*command, "sh", "-c", script, "sh", str(disk.folder)],
        pass_fds=handles,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_what_one_process_writes_the_next_one_finds_and_nobody_outside(disk):
    assert inside(disk, 'echo pixels > "$1/a"').returncode == 0
    assert inside(disk, 'cat "$1/a"').stdout == "pixels\n"
    assert list(disk.folder.iterdir()) == []


def test_a_full_disk_refuses_the_next_byte_and_has_room_again_when_relieved(disk):
    inside(disk, 'head -c 100000 /dev/zero > "$1/a"')
    disk.fill()
    refused = inside(disk, 'head -c 1 /dev/zero > "$1/b"')
    assert "No space left on device" in refused.stderr
    disk.relieve()
    assert inside(disk, 'head -c 1000000 /dev/zero > "$1/b"').returncode == 0


def test_a_wiped_disk_is_empty_when_it_is_attached_again(disk):
    inside(disk, 'echo pixels > "$1/a"')
    disk.wipe()
    disk.wipe()
    disk.attach()
    assert inside(disk, 'ls "$1"').stdout == ""


def test_a_disk_that_is_not_attached_cannot_be_filled(disk):
    disk.wipe()
    with pytest.raises(CannotFill, match="start the VM first"):
        disk.fill()


def test_a_disk_that_is_a_folder_is_wiped_and_says_that_it_cannot_be_filled(tmp_path):
    disk = FolderDisk(tmp_path / "temporary")
    disk.attach()
    (disk.folder / "a").write_text("pixels")
    with pytest.raises(CannotFill, match="as large as this machine's own disk"):
        disk.fill()
    disk.wipe()
    assert not disk.folder.exists()
