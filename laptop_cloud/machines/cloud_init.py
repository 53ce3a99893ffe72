"""A machine's user data, honoured as far as a laptop can: cloud-init's files, and its service's variables.

Commands, users and packages are the image's and systemd's business; a laptop's machine has neither.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import yaml

from contract.errors import BadInput

FIRST_LINE = "#cloud-config"
_VARIABLES_OF_SERVICE = "EnvironmentFile="


def written_files(user_data: str) -> dict[str, str]:
    """Contents by absolute path. Of base64, as a machine is ordered with it; what is no cloud-config writes none.

    BadInput for one that cannot be read.
    """
    try:
        text = base64.b64decode(user_data, validate=True).decode()
        if text.partition("\n")[0].strip() != FIRST_LINE:
            return {}
        files = yaml.safe_load(text).get("write_files", ())
        return {str(_absolute(file["path"])): str(file["content"]) for file in files}
    except (binascii.Error, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"the user data is no cloud-config that can be read: {error}") from error


def service_variables(files: Mapping[str, str]) -> dict[str, str]:
    """Of the files that the written services name as their environment. BadInput when one was not written."""
    variables: dict[str, str] = {}
    services = (content for path, content in files.items() if path.endswith(".service"))
    for line in (line for content in services for line in content.splitlines()):
        if line.startswith(_VARIABLES_OF_SERVICE):
            path = line.removeprefix(_VARIABLES_OF_SERVICE).strip()
            if path not in files:
                raise BadInput(
                    f"the user data has a service with variables in {path}, which it does not write"
                )
            pairs = (row.partition("=") for row in files[path].splitlines() if not row.startswith("#"))
            variables |= {name.strip(): value for name, is_set, value in pairs if is_set}
    return variables


def place_on(disk: Path, path: str) -> Path:
    """Where on this laptop a machine's own path is."""
    return disk / PurePosixPath(path).relative_to("/")


def write_files(files: Mapping[str, str], disk: Path) -> None:
    """Onto a machine's system disk."""
    for path, content in files.items():
        place = place_on(disk, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")


def _absolute(path: object) -> PurePosixPath:
    """BadInput for one that would lie beside the disk."""
    absolute = PurePosixPath(str(path))
    if not absolute.is_absolute() or ".." in absolute.parts:
        raise BadInput(f"the user data would write {str(path)[:80]!r}, which is no absolute path")
    return absolute
