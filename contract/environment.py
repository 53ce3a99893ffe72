"""Environment variables with our prefix: every program refuses those that nobody knows, since they are typos."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from contract.errors import BadInput

PREFIX = "TILEFLEET_"
SHARED = frozenset({"TILEFLEET_STORAGE_KEY", "TILEFLEET_LAPTOP", "TILEFLEET_BOUNDARIES"})
PROGRAMS = ("CONSUMER", "PRODUCER", "FLEETCTL")


def program_variables(environ: Mapping[str, str], program: str, fields: frozenset[str]) -> dict[str, str]:
    """The values of `TILEFLEET_<PROGRAM>_<FIELD>` by field; BadInput for one that is not known.

    Another program's variables pass unread, so that one environment serves all three. An empty variable is not
    set: an empty path would be the working folder, which is there.
    """
    own = f"{PREFIX}{program}_"
    others = tuple(f"{PREFIX}{name}_" for name in PROGRAMS if name != program)
    known = {own + name.upper(): name for name in fields}
    values: dict[str, str] = {}
    problems: list[str] = []
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable in SHARED or variable.startswith(others):
            continue
        if variable in known:
            if value:
                values[known[variable]] = value
        else:
            close = get_close_matches(variable, [*known, *SHARED], n=1)
            problems.append(f"{variable} is no setting" + (f", did you mean {close[0]}?" if close else ""))
    if problems:
        raise BadInput("; ".join(sorted(problems)))
    return values
