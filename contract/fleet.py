"""Which fleet a command talks to, and how: a fleet file chosen by name, or the laptop cloud that runs here.

A fleet file holds addresses and names, never a secret:

    name = "uk-fleet"
    kind = "azure"                # or "laptop", written by the laptop cloud itself
    location = "westeurope"
    [storage]
    queue_url = "https://account.queue.core.windows.net"
    blob_url = "https://account.blob.core.windows.net"
    container = "tilefleet"
    [imagery]
    stac_url = "https://planetarycomputer.microsoft.com/api/stac/v1"
    [boundaries]                  # optional
    file = "ne_10m_admin_0_countries.zip"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from contract.errors import BadInput
from contract.queue_names import queue_names
from contract.toml_lines import Lines, lines_of_keys, place_of

FLEET_VARIABLE = "FLEET"
KEY_VARIABLE = "TILEFLEET_STORAGE_KEY"
LAPTOP_VARIABLE = "TILEFLEET_LAPTOP"
LAPTOP_FOLDER = ".laptop"
CHOICE_FILE = ".fleet"
"""In the current folder: the fleet that `fleetctl use` chose there, by name or path."""
RUNNING_FILE = "running.toml"
MAX_FILE_BYTES = 64 * 1024
PLANETARY_COMPUTER = "https://planetarycomputer.microsoft.com/api/stac/v1"
OPERATORS_TABLES = frozenset({"azure", "budget", "limits", "pools", "patience", "alerts"})
"""Of machines and money: fleetctl reads them, the other programs do not."""
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Fleet:
    """One fleet's addresses."""

    name: str
    kind: str
    """`azure` or `laptop`."""
    location: str
    """Home region, for people."""
    queue_url: str
    blob_url: str
    container: str
    stac_url: str = PLANETARY_COMPUTER
    boundaries_file: str = ""
    """Another boundaries file than the shipped one; empty: shipped."""
    storage_key: str = field(default="", repr=False)
    """Shared key of the account, from the environment only; empty: managed identity or a login."""

    @property
    def is_laptop(self) -> bool:
        return self.kind == "laptop"

    @property
    def target_line(self) -> str:
        """What every command says on stderr before it does anything."""
        if self.is_laptop:
            return f"target: laptop cloud ({urlsplit(self.queue_url).hostname})"
        return f"target: azure {self.name} ({self.location})"


def choose_fleet(named: str | None, environ: Mapping[str, str], folder: Path) -> Fleet:
    """The fleet of `--fleet`, else of FLEET, else of `fleetctl use`, else the laptop cloud that runs.

    `folder` is where `fleets/`, `.fleet` and `.laptop/` are looked for; BadInput names the ways.
    """
    name = chosen_name(named, environ, folder)
    path = fleet_path(name, environ, folder)
    fleet = read_fleet_file(path) if is_file_named(name) else _read_running(path, asked=bool(name))
    return _with_key(fleet, environ)


def chosen_name(named: str | None, environ: Mapping[str, str], folder: Path) -> str:
    """The name or path that was chosen; empty when none was, `laptop` for the laptop cloud."""
    if name := named or environ.get(FLEET_VARIABLE, ""):
        return name
    try:
        return (folder / CHOICE_FILE).read_text(encoding="utf-8")[:4096].strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{folder / CHOICE_FILE} cannot be read: {error}; `fleetctl use` writes it") from error


def fleet_path(name: str, environ: Mapping[str, str], folder: Path) -> Path:
    """The file of the fleet of that name: a name that ends in `.toml` is a path. BadInput when there is none;
    the laptop cloud's is looked at by who reads it."""
    if not is_file_named(name):
        return laptop_folder(environ, folder) / RUNNING_FILE
    path = Path(name) if name.endswith(".toml") else folder / "fleets" / f"{name}.toml"
    if not path.is_file():
        raise BadInput(f"there is no fleet file {path}; write one (see README) or use --fleet laptop")
    return path


def is_file_named(name: str) -> bool:
    """Whether that names a fleet of its own, and not the laptop cloud."""
    return name not in {"", "laptop"}


def laptop_folder(environ: Mapping[str, str], folder: Path) -> Path:
    """Where the laptop cloud keeps its things."""
    return Path(environ.get(LAPTOP_VARIABLE, "") or folder / LAPTOP_FOLDER)


def read_fleet_file(path: Path) -> Fleet:
    """The fleet in a file; BadInput says what is wrong in it."""
    content, lines = read_tables(path)
    return parse_fleet(content, str(path), lines)


def read_tables(path: Path) -> tuple[dict[str, Any], Lines]:
    """What is written in a fleet file, and where. BadInput for what is no TOML, or too long for one."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise BadInput(f"{path} is larger than {MAX_FILE_BYTES} bytes: it is no fleet file")
        text = data.decode()
        return tomllib.loads(text), lines_of_keys(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path} is not a readable fleet file: {error}") from error


def parse_fleet(content: Mapping[str, Any], where: str, lines: Lines = MappingProxyType({})) -> Fleet:
    """The fleet in parsed TOML; all problems in one BadInput, each with its line as far as `lines` tells."""
    problems: list[tuple[str, str]] = []
    flat = _flatten({key: value for key, value in content.items() if key not in OPERATORS_TABLES})
    values: dict[str, str] = {}
    for key, attribute in _KEYS.items():
        value = flat.pop(key, None)
        if value is None and key in _REQUIRED:
            problems.append((key, f"{key} is missing"))
        elif value is not None and not isinstance(value, str):
            problems.append((key, f"{key} is not text"))
        elif value is not None:
            values[attribute] = value
    problems += [(key, f"{key} is unknown") for key in flat]
    problems += _check(values)
    if problems:
        raise BadInput("\n".join(f"{place_of(where, lines, key)}: {text}" for key, text in problems))
    return Fleet(**values)


def running_toml(fleet: Fleet, pid: int) -> str:
    """What the laptop cloud writes while it runs."""
    return (
        f'name = "{fleet.name}"\nkind = "laptop"\nlocation = "{fleet.location}"\npid = "{pid}"\n'
        f'[storage]\nqueue_url = "{fleet.queue_url}"\nblob_url = "{fleet.blob_url}"\n'
        f'container = "{fleet.container}"\n[imagery]\nstac_url = "{fleet.stac_url}"\n'
    )


_KEYS = {
    "name": "name",
    "kind": "kind",
    "location": "location",
    "storage.queue_url": "queue_url",
    "storage.blob_url": "blob_url",
    "storage.container": "container",
    "imagery.stac_url": "stac_url",
    "boundaries.file": "boundaries_file",
}
_REQUIRED = {"name", "kind", "location", "storage.queue_url", "storage.blob_url", "storage.container"}


def _flatten(content: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            flat[key] = value
    return flat


def _check(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Of those that are there: keys, and what is wrong with their values."""
    problems = []
    try:
        queue_names(values.get("name", "fleet"))
    except BadInput as error:
        problems.append(("name", str(error)))
    if values.get("kind", "azure") not in {"azure", "laptop"}:
        problems.append(("kind", f"kind {values['kind']!r} is neither azure nor laptop"))
    for key in ("storage.queue_url", "storage.blob_url", "imagery.stac_url"):
        attribute = _KEYS[key]
        address = values.get(attribute, PLANETARY_COMPUTER)
        try:
            url = urlsplit(address)
        except ValueError:  # brackets of an IPv6 address that do not match
            url = urlsplit("")
        if url.scheme not in {"http", "https"} or not url.hostname:
            problems.append((key, f"{attribute} {address!r} is no web address"))
        elif url.scheme == "http" and url.hostname not in LOOPBACK_HOSTS:
            problems.append((key, f"{attribute} must use https outside this machine"))
        elif url.query or url.username:
            problems.append((key, f"{attribute} must not hold a secret: only an address"))
    return problems


def _read_running(path: Path, *, asked: bool) -> Fleet:
    """The laptop cloud whose process still lives."""
    ways = "start one here with `make laptop`, or choose a fleet with --fleet NAME or FLEET=NAME"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        pid = int(content.pop("pid", 0))
    except FileNotFoundError:
        what = "the laptop cloud does not run" if asked else "no fleet is chosen and no laptop cloud runs"
        raise BadInput(f"{what}: {ways}") from None
    except (OSError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path} is not what a laptop cloud writes ({error}): delete it, then {ways}"
        ) from error
    if not _is_alive(pid):
        raise BadInput(f"the laptop cloud of {path} has ended (process {pid} is gone): {ways}")
    return parse_fleet(content, str(path))


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _with_key(fleet: Fleet, environ: Mapping[str, str]) -> Fleet:
    key = environ.get(KEY_VARIABLE, "")
    if not key:
        return fleet
    return Fleet(**{name: getattr(fleet, name) for name in Fleet.__dataclass_fields__} | {"storage_key": key})
