"""What a typed name means: a country, a part of one, an alias, a continent or a UN region (pure).

Looked up in that order, without case, accents or punctuation, so that `cote d'ivoire`, `COTE-DIVOIRE`
and `Côte d'Ivoire` are one name. Earlier wins: Micronesia is the country, not the UN subregion.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from contract.errors import BadInput

Row = Mapping[str, str | None]
"""One row of a boundary file: Natural Earth's column names in lower case."""


class Kind(StrEnum):
    """What sort of place a name stands for."""

    COUNTRY = "country"
    PART = "map_unit"
    """A part of a country: Scotland, French Guiana."""
    ALIAS = "alias"
    CONTINENT = "continent"
    SUBREGION = "subregion"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one name stands for."""

    name: str
    """As it is spelled in the boundary file."""
    kind: Kind
    rows: tuple[int, ...]
    """Which rows of the boundary file make it up."""


NAME_COLUMNS = ("name", "name_long", "name_en", "formal_en", "admin")
PART_COLUMNS = ("name", "name_long", "name_en", "formal_en", "geounit", "iso_3166_2")
CODE_COLUMNS = (("iso_a2_eh", "iso_a2"), ("iso_a3_eh", "iso_a3"))
"""The second is read where a file lacks the first; only `_eh` has codes for France, Norway and Kosovo."""

GROUP_COLUMNS = (
    (Kind.CONTINENT, "continent"),
    (Kind.SUBREGION, "subregion"),
    (Kind.REGION, "region_un"),
)

LEAST_LIKENESS = 0.6
"""How alike two names must be, 0 to 1, for one to be offered in place of the other."""


class PlaceNames:
    """All names of one boundary file."""

    def __init__(self, rows: Sequence[Row], aliases: Mapping[str, Sequence[str]]) -> None:
        """`aliases`: other name -> names or codes; an alias with one that this file lacks is left out."""
        self._meanings: dict[str, Meaning] = {}
        self._codes: set[str] = set()
        countries = [number for number, row in enumerate(rows) if row.get("level") == Kind.COUNTRY]
        parts = [number for number, row in enumerate(rows) if row.get("level") == Kind.PART]
        self._add_names(rows, countries, NAME_COLUMNS, Kind.COUNTRY)
        self._add_codes(rows, countries)
        self._add_names(rows, parts, PART_COLUMNS, Kind.PART)
        self._add_aliases(aliases)
        for kind, column in GROUP_COLUMNS:
            self._add_groups(rows, countries, column, kind)
        self._add_aliases(aliases)  # again, for those made of continents
        self._add("World", Meaning("World", Kind.REGION, tuple(countries)))

    def meaning(self, name: str) -> Meaning:
        """What `name` stands for; BadInput with the most similar name when nothing."""
        try:
            return self._meanings[folded(name)]
        except KeyError:
            raise BadInput(f"there is no region called {name!r}{self._suggestion(name)}") from None

    def has(self, name: str) -> bool:
        return folded(name) in self._meanings

    def _suggestion(self, name: str) -> str:
        spelled = {key: meaning.name for key, meaning in self._meanings.items() if key not in self._codes}
        close = difflib.get_close_matches(folded(name), spelled, n=1, cutoff=LEAST_LIKENESS)
        if close:
            return f": did you mean {spelled[close[0]]}?"
        return ": write a country, a continent, bbox:w,s,e,n or a file; --boundaries FILE brings more names"

    def _add(self, name: str | None, meaning: Meaning) -> None:
        if name and (key := folded(name)):
            self._meanings.setdefault(key, meaning)

    def _add_names(
        self, rows: Sequence[Row], numbers: Iterable[int], columns: Sequence[str], kind: Kind
    ) -> None:
        numbers = list(numbers)
        # Column by column: what is one country's short name is never taken by another's long one.
        for column in columns:
            for number in numbers:
                row = rows[number]
                self._add(row.get(column), Meaning(row["name"] or "", kind, (number,)))

    def _add_codes(self, rows: Sequence[Row], numbers: Sequence[int]) -> None:
        for columns in CODE_COLUMNS:
            read = _reader(columns)
            # AU, BR, FR and KZ stand on several rows: the country's own comes first.
            for number in sorted(numbers, key=lambda number: not _is_own_code(rows[number])):
                row = rows[number]
                if code := read(row):
                    self._add(code, Meaning(row["name"] or "", Kind.COUNTRY, (number,)))
                    self._codes.add(folded(code))

    def _add_aliases(self, aliases: Mapping[str, Sequence[str]]) -> None:
        for alias, names in aliases.items():
            meanings = [self._meanings.get(folded(name)) for name in names]
            if all(meanings):
                rows = tuple(row for meaning in meanings if meaning for row in meaning.rows)
                self._add(alias, Meaning(alias, Kind.ALIAS, rows))

    def _add_groups(self, rows: Sequence[Row], numbers: Iterable[int], column: str, kind: Kind) -> None:
        groups: dict[str, list[int]] = {}
        for number in numbers:
            if group := rows[number].get(column):
                groups.setdefault(group, []).append(number)
        for group, members in groups.items():
            self._add(group, Meaning(group, kind, tuple(members)))


def folded(name: str) -> str:
    """A name without case, accents, spaces and punctuation."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def _reader(columns: Sequence[str]) -> Callable[[Row], str | None]:
    """The first of these columns that the file has. An empty `iso_a2_eh` is not filled from `iso_a2`."""
    return lambda row: next((row[column] for column in columns if column in row), None)


def _is_own_code(row: Row) -> bool:
    return "adm0_a3" not in row or row["adm0_a3"] == row.get("iso_a3_eh")
