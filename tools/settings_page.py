"""Write docs/settings.md: every environment variable of the programs, from the classes that read them.

.venv/bin/python tools/settings_page.py
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from contract.environment import PREFIX, SHARED
from contract.fleet import FLEET_VARIABLE

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
PROGRAMS = ("producer", "consumer", "fleetctl")

SHARED_MEANINGS = {
    FLEET_VARIABLE: "Name of the fleet that is meant, of `fleets/<name>.toml`; `--fleet` wins over it. "
    "Without either, the one that `fleetctl use` chose in this folder, or the laptop cloud that runs here.",
    "TILEFLEET_BOUNDARIES": "Boundaries file with map units that names are looked up in, instead of the "
    "shipped one; `producer --boundaries` wins over it.",
    "TILEFLEET_LAPTOP": "Folder of the laptop cloud; default: `.laptop` where the command is typed.",
    "TILEFLEET_STORAGE_KEY": "Account key of the fleet's storage. Without it, the identity of the machine "
    "or of `az login` is used, which is the better way.",
}
"""Variables that more than one program reads, so that none of the classes can speak for them."""

INTRODUCTION = """\
# Settings

Written by `make reference` from the programs' settings classes; a test fails when it is out of date.

Settings are environment variables, read once when a program starts. All that is wrong with them is reported
at once, with exit status 2, and a variable that begins with `TILEFLEET_` and is not listed here is taken for
a typing error. An empty variable is not set, but for those of fleetctl that say what it means. Options of the
command line win over variables. Addresses of queues, blobs and imagery are not settings: they belong to a fleet
file, `fleets/<name>.toml`.
"""


def page() -> str:
    """The whole page, the same for the same classes on every machine."""
    shared = [f"| `{name}` | {SHARED_MEANINGS[name]} |" for name in sorted({FLEET_VARIABLE, *SHARED})]
    parts = [INTRODUCTION, "## All programs\n", "| variable | meaning |", "|---|---|", *shared, ""]
    for program in PROGRAMS:
        settings: type[BaseModel] = importlib.import_module(f"{program}.settings").Settings
        parts += [
            f"## {program}\n",
            "| variable | default | allowed | meaning |",
            "|---|---|---|---|",
            *_rows(program, settings),
            "",
        ]
    return "\n".join(parts)


def _rows(program: str, settings: type[BaseModel]) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        if PREFIX + name.upper() in SHARED:
            continue  # told once, for all programs
        if not field.description:
            raise ValueError(f"{program}.settings.Settings.{name} has no description")
        variable = f"{PREFIX}{program}_{name}".upper()
        yield f"| `{variable}` | {_default(field)} | {_allowed(field)} | {_cell(field.description)} |"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "this machine's"  # such a default is measured where the program runs
    if field.default is None or field.default == "":
        return "-"
    return f"`{field.default}`"


def _allowed(field: FieldInfo) -> str:
    """What pydantic accepts: `3 to 3,600`, `above 0`, a pattern, or `-` for whatever fits the type."""
    rules = {name: value for rule in field.metadata for name, value in _rules(rule)}
    if "pattern" in rules:
        return f"`{_cell(str(rules['pattern']))}`"
    if "ge" in rules and "le" in rules:
        return f"{rules['ge']:,} to {rules['le']:,}"
    words = {"ge": "{:,} or more", "gt": "above {:,}", "le": "up to {:,}", "lt": "below {:,}"}
    return ", ".join(words[name].format(value) for name, value in rules.items()) or "-"


def _rules(rule: Any) -> Iterator[tuple[str, Any]]:
    for name in ("ge", "gt", "le", "lt", "pattern"):
        if (value := getattr(rule, name, None)) is not None:
            yield name, value


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
