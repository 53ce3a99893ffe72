"""Which torch is installed, and in which order the ways to it are tried."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[2]


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


install_torch = load_tool("install_torch")


def last_words(*, wants_cuda: bool, is_linux: bool = True) -> list[list[str]]:
    """Of each attempt, the words of its last command after the installer's own."""
    ways = install_torch.attempts(
        wants_cuda=wants_cuda, is_linux=is_linux, python="/venv/bin/python", uv_folder="/tmp/uv"
    )
    return [[word for word in way.commands[-1] if word.startswith(("torch", "--"))] for way in ways]


def test_without_a_gpu_own_sources_come_first_then_uv_then_the_larger_build():
    assert last_words(wants_cuda=False) == [
        ["--quiet", "--no-deps", "torch==2.13.0+cpu"],
        ["--python", "torch==2.13.0", "--torch-backend=cpu", "--no-deps"],
        ["torch==2.13.0"],
    ]


def test_with_a_gpu_uv_chooses_the_build_that_fits_the_driver():
    assert last_words(wants_cuda=True) == [
        ["--python", "torch==2.13.0", "--torch-backend=auto"],
        ["torch==2.13.0"],
    ]


def test_outside_linux_there_is_one_build_only():
    assert last_words(wants_cuda=False, is_linux=False) == [["torch==2.13.0"]]


def test_only_the_question_to_own_sources_may_fail_in_silence():
    ways = install_torch.attempts(wants_cuda=False, is_linux=True, python="python", uv_folder="uv")
    assert [way.is_worth_a_try for way in ways] == [True, False, False]
    assert "larger" in ways[-1].says


def test_uv_itself_comes_by_its_hash_and_installs_into_the_named_environment():
    way = install_torch.attempts(wants_cuda=True, is_linux=True, python="/v/bin/python", uv_folder="/t")[0]
    get_uv, install = way.commands
    assert "--require-hashes" in get_uv
    assert "--hash=sha256:" in Path(get_uv[get_uv.index("-r") + 1]).read_text()
    assert install[0] == "/t/bin/uv"
    assert install[install.index("--python") + 1] == "/v/bin/python"


@pytest.mark.parametrize(
    ("installed", "wants_cuda", "is_right"),
    [
        (None, False, False),
        ("2.13.0+cpu", False, True),
        ("2.13.0", False, True),
        ("2.13.0+cu130", True, True),
        ("2.13.0", True, True),
        ("2.13.0+cpu", True, False),
        ("2.12.0+cpu", False, False),
        ("2.13.0.dev1", False, False),
    ],
)
def test_an_installed_build_will_do_or_not(installed, wants_cuda, is_right):
    assert install_torch.is_right_build(installed, wants_cuda=wants_cuda) is is_right
