"""Puts virtual time under the worker's own modules for as long as a virtual fleet runs.

The modules keep their code; what changes is what their names `time`, `threading`, `datetime` and the like mean,
also where a dataclass noted one as a field's default. Nothing outside `consumer` and `contract` notices.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import CellType
from typing import Any

PACKAGES = ("consumer", "contract")


@contextmanager
def substituted(replacements: Mapping[int, Any], *, log: Any) -> Iterator[None]:
    """`replacements` maps the id of what is there to what stands for it in the block; `log` for every logger."""
    undo: list[Callable[[], None]] = []
    try:
        for module in _modules():
            for name, value in list(vars(module).items()):
                stand_in = log if name == "log" else replacements.get(id(value))
                if stand_in is not None:
                    setattr(module, name, stand_in)
                    undo.append(partial(setattr, module, name, value))
                elif isinstance(value, type) and value.__module__ == module.__name__:
                    undo += _substitute_defaults(value, replacements)
        yield
    finally:
        for step in reversed(undo):
            step()


def _modules() -> list[Any]:
    return [
        module
        for name, module in sorted(sys.modules.items())
        if module is not None and name.partition(".")[0] in PACKAGES
    ]


def _substitute_defaults(cls: type, replacements: Mapping[int, Any]) -> Iterator[Callable[[], None]]:
    """The default factories of a dataclass: its __init__ has them in its closure."""
    closure: tuple[CellType, ...] = getattr(vars(cls).get("__init__"), "__closure__", None) or ()
    for cell in closure:
        value = cell.cell_contents
        if id(value) in replacements:
            cell.cell_contents = replacements[id(value)]
            yield partial(setattr, cell, "cell_contents", value)
