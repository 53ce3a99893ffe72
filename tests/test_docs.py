"""The pages and the tree say the same: a command, setting or file that one of them lacks fails here."""

import importlib.util
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.core import TyperCommand, TyperGroup

from contract.environment import SHARED
from contract.fleet import read_fleet_file
from fleetctl.fleet_file import read_operator_file

REPOSITORY = Path(__file__).parents[1]
README = REPOSITORY / "README.md"
LINK = re.compile(r"\]\(([^)\s]+)\)")
STEP = re.compile(r"`([\w./{}, -]+)`")

with_readme = pytest.mark.skipif(not README.exists(), reason="there is no README.md")


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


settings_page = load_tool("settings_page")
commands_page = load_tool("commands_page")
PAGES = sorted(
    [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("infra/**/*.md")]
)


def page_name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def commands(command: TyperCommand | TyperGroup, words: str) -> Iterator[tuple[str, Any]]:
    """The command and all below it, each with the words that one types."""
    yield words, command
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from commands(child, f"{words} {name}")


def programs() -> list[str]:
    return list(commands_page.PROGRAMS)


@pytest.mark.parametrize("program", programs())
def test_every_command_and_option_explains_itself(program):
    silent = []
    for words, command in commands(commands_page.command_of(program), program):
        if not command.help:
            silent.append(words)
        silent += [
            f"{words}: {parameter.human_readable_name}"
            for parameter in command.params
            if not getattr(parameter, "help", None)
        ]
    assert silent == []


def test_the_page_of_commands_is_what_the_programs_say():
    assert commands_page.PAGE.read_text() == commands_page.page(), "out of date: run `make reference`"


@with_readme
@pytest.mark.parametrize("program", programs())
def test_every_command_is_used_in_a_page_that_a_person_wrote(program):
    written = "\n".join(page.read_text() for page in PAGES if page != commands_page.PAGE)
    typed = [words for words, command in commands(commands_page.command_of(program), program)]
    assert [words for words in typed if not re.search(rf"\b{words}\b", written)] == []


def test_the_page_of_settings_is_what_the_classes_say():
    assert settings_page.PAGE.read_text() == settings_page.page(), "out of date: run `make reference`"


def test_every_shared_variable_is_explained():
    assert set(settings_page.SHARED_MEANINGS) >= SHARED


def test_a_variable_belongs_to_one_row_only():
    rows = re.findall(r"^\| `(\w+)` \|", settings_page.page(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert len(rows) > len(SHARED)


def expand_braces(path: str) -> list[str]:
    """`stages/{receive, settle}` names two."""
    parts = [
        [word.strip() for word in part[1:-1].split(",")] if part.startswith("{") else [part]
        for part in re.split(r"(\{[^}]*\})", path)
    ]
    return ["".join(choice) for choice in itertools.product(*parts)]


@with_readme
def test_each_step_of_a_tiles_way_is_a_file_or_folder():
    way = re.search(r"`producer/region`.*?(?=\n\s*\n|\Z)", README.read_text(), re.DOTALL)
    assert way is not None, "the README shows the way of a tile, from `producer/region` on"
    steps = [name for step in STEP.findall(way.group()) if "/" in step for name in expand_braces(step)]
    assert len(steps) >= 8
    missing = [
        step
        for step in steps
        if not ((REPOSITORY / step).is_dir() or (REPOSITORY / f"{step}.py").is_file())
        and not (REPOSITORY / step).is_file()
    ]
    assert missing == []


@with_readme
def test_the_fleet_file_of_the_readme_is_one_that_the_programs_read(tmp_path):
    shown = re.search(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert shown is not None, "the README shows a fleet file"
    path = tmp_path / "uk-fleet.toml"
    path.write_text(shown.group(1))
    assert read_operator_file(path, read_fleet_file(path).name).policy.pools


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_to_a_file_of_ours_leads_somewhere(page):
    targets = [link.split("#")[0] for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_make_target_that_a_page_names_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", page.read_text()))
    assert named <= targets


def test_every_decision_has_a_number_of_its_own():
    numbers = [page.name[:4] for page in (REPOSITORY / "docs" / "decisions").glob("*.md")]
    assert sorted(numbers) == sorted(set(numbers))
    assert all(number.isdigit() for number in numbers)
