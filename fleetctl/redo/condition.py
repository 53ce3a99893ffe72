"""`--where`: a condition over what a commit says about its tile. Parsed, never evaluated as code. Pure.

condition  = all-of { "or" all-of }
all-of     = comparison { "and" comparison }
comparison = field ( = | == | != | < | <= | > | >= ) value
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from contract.errors import BadInput

Value = float | str
Facts = Mapping[str, Value]

MAX_CHARACTERS = 500
_TOKEN = re.compile(
    r"""\s*(?:(?P<operator>==|!=|<=|>=|=|<|>)
    |(?P<number>-?\d+(?:\.\d+)?(?![\w.]))
    |(?P<word>[A-Za-z_][\w.:/-]*)
    |"(?P<double>[^"]*)"|'(?P<single>[^']*)')""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "=": operator.eq,
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)
_EQUALITIES = frozenset({"=", "==", "!="})
_HINT = "write it as 'lost>0', 'outcome=empty' or 'seconds>600 and worker=vm-3'"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field operator value`."""

    field: str
    operator: str
    value: Value

    def holds(self, facts: Facts) -> bool:
        """A tile that does not have the field, or has another kind of value there, does not match."""
        actual = facts.get(self.field)
        if actual is None or isinstance(actual, str) is not isinstance(self.value, str):
            return False
        return _COMPARE[self.operator](actual, self.value)


@dataclass(frozen=True, slots=True)
class Condition:
    """True when all comparisons of one of the groups hold."""

    groups: tuple[tuple[Comparison, ...], ...]

    def holds(self, facts: Facts) -> bool:
        return any(all(one.holds(facts) for one in group) for group in self.groups)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(one.field for group in self.groups for one in group)

    def __str__(self) -> str:
        """One text for each condition, however it was spaced."""
        return " or ".join(
            " and ".join(f"{one.field}{one.operator}{one.value}" for one in group) for group in self.groups
        )


def parse_condition(text: str) -> Condition:
    """The condition in `text`; BadInput says what cannot be one."""
    words = list(reversed(_tokens(text)))
    groups: list[tuple[Comparison, ...]] = []
    group: list[Comparison] = []
    while True:
        group.append(_comparison(words, text))
        joint = words.pop() if words else ("end", "")
        if joint == ("word", "and"):
            continue
        groups.append(tuple(group))
        group = []
        if joint[0] == "end":
            return Condition(tuple(groups))
        if joint != ("word", "or"):
            raise BadInput(f"--where {text!r}: {joint[1]!r} is neither `and` nor `or`; {_HINT}")


def flatten(record: Mapping[str, Any]) -> dict[str, Value]:
    """The numbers and words of a nested record by dotted name: `seconds.infer`. A group that holds only
    numbers is also their sum, and a name is also known by its last part where only one has it."""
    dotted: dict[str, Value] = {}
    _flatten(record, "", dotted)
    lasts: dict[str, list[str]] = {}
    for name in dotted:
        lasts.setdefault(name.rpartition(".")[2], []).append(name)
    return {last: dotted[names[0]] for last, names in lasts.items() if len(names) == 1} | dotted


def _flatten(record: Mapping[str, Any], prefix: str, into: dict[str, Value]) -> None:
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, bool):
            into[name] = str(value).lower()
        elif isinstance(value, int | float):
            into[name] = float(value)
        elif isinstance(value, str):
            into[name] = value
        elif isinstance(value, Mapping):
            if all(isinstance(one, int | float) and not isinstance(one, bool) for one in value.values()):
                into[name] = float(sum(value.values()))
            _flatten(value, f"{name}.", into)


def _comparison(words: list[tuple[str, str]], text: str) -> Comparison:
    if len(words) < 3:
        raise BadInput(f"--where {text!r} is no comparison; {_HINT}")
    field, sign, value = words.pop(), words.pop(), words.pop()
    if field[0] != "word" or sign[0] != "operator" or value[0] == "operator":
        raise BadInput(f"--where {text!r}: {field[1]} {sign[1]} {value[1]} is no comparison; {_HINT}")
    if value[0] == "number":
        return Comparison(field[1], sign[1], float(value[1]))
    if sign[1] not in _EQUALITIES:
        raise BadInput(f"--where {text!r}: words are equal (=) or not (!=), {sign[1]} needs a number")
    return Comparison(field[1], sign[1], value[1])


def _tokens(text: str) -> list[tuple[str, str]]:
    if len(text) > MAX_CHARACTERS:
        raise BadInput(f"--where has {len(text)} characters, {MAX_CHARACTERS} are allowed")
    found: list[tuple[str, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise BadInput(f"--where {text!r}: {text[position:].strip()[:20]!r} cannot be read; {_HINT}")
        kind = "text" if match.lastgroup in {"single", "double"} else match.lastgroup
        found.append((kind, match.group(match.lastgroup)))
        position = match.end()
    return found
