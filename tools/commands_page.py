"""Write docs/commands.md: every command and option of the programs, from the programs themselves.

.venv/bin/python tools/commands_page.py
"""

from __future__ import annotations

import importlib
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.core import TyperGroup

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
PROGRAMS = {
    "producer": "producer.cli",
    "consumer": "consumer.cli",
    "fleetctl": "fleetctl.cli",
    "laptop-cloud": "laptop_cloud.__main__",
}
"""Each program's name, and the module whose `app` it is."""

INTRODUCTION = """\
# Commands

Written by `make reference` from the programs themselves; a test fails when it is out of date.
What the environment variables mean is in [settings.md](settings.md).
"""
USAGE_WIDTH = 100


def command_of(program: str) -> TyperGroup:
    """A program's command with all its subcommands."""
    command = typer.main.get_command(importlib.import_module(PROGRAMS[program]).app)
    if not isinstance(command, TyperGroup):
        raise TypeError(f"{program} has no subcommands")
    command.context_settings["max_content_width"] = USAGE_WIDTH
    command.context_settings["terminal_width"] = USAGE_WIDTH
    return command


def page() -> str:
    """The whole page, the same whatever the terminal's width."""
    parts = [INTRODUCTION]
    for program in PROGRAMS:
        command = command_of(program)
        context = typer.Context(command, info_name=program, **command.context_settings)
        text = get_docs_for_click(obj=command, ctx=context, name=program)
        # One level deeper: the page has its own title.
        parts.append("".join(f"#{line}" if line.startswith("#") else line for line in text.splitlines(True)))
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
