"""Numbers that say where they come from: measured, or assumed until somebody measures. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Basis(StrEnum):
    """How much a number may be trusted."""

    MEASURED = "measured"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number; its unit is in the name of what holds it."""

    value: float
    basis: Basis
    source: str
    """For a person: `price list of 2026-11-22`, `first seed document, East US`."""

    def as_json(self) -> dict[str, Any]:
        return {"value": self.value, "basis": self.basis.value, "source": self.source}


def measured(value: float, source: str) -> Figure:
    return Figure(value, Basis.MEASURED, source)


def assumed(value: float, source: str) -> Figure:
    return Figure(value, Basis.ASSUMED, source)


def derived(formula: Callable[..., float], *figures: Figure) -> Figure:
    """What follows from other figures: measured only where all of them are; its sources are theirs."""
    basis = Basis.MEASURED if all(f.basis is Basis.MEASURED for f in figures) else Basis.ASSUMED
    sources = dict.fromkeys(figure.source for figure in figures if figure.basis is basis)
    return Figure(formula(*(figure.value for figure in figures)), basis, "; ".join(sources))
