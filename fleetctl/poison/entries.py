"""The poison entries of a fleet, each with what became of its tile since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from contract.artifact_names import POISON_PREFIX
from contract.blob_store import BlobStore
from contract.commit import Standing, read_standing
from contract.errors import BadInput, NotFound
from contract.poison_entry import FOREIGN, MAX_ENTRY_BYTES, PoisonEntry, decode_entry
from fleetctl.ahead import read_ahead

SHORTEST_DIGEST = 6
"""So many digits of a foreign message's digest name it."""


class EntryState(StrEnum):
    """What an entry still asks of a person."""

    OPEN = "open"
    """Nothing was decided: replay it, or drop it."""
    RESOLVED = "resolved"
    """Its tile is committed meanwhile."""
    DROPPED = "dropped"
    """A person said that it stays given up."""
    UNREADABLE = "unreadable"
    """No worker of this release wrote it."""


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """One entry as it was found."""

    blob_name: str
    etag: str
    state: EntryState
    entry: PoisonEntry | None
    """None: unreadable."""
    standing: Standing | None
    """Of its tile; None for a foreign message."""
    data: bytes
    problem: str = ""
    """Why it is unreadable."""

    @property
    def short_name(self) -> str:
        """What a person types: `<dataset>/<tile>`, or `foreign/` and the first digits of the digest."""
        name = self.blob_name.removeprefix(POISON_PREFIX)
        return name[: len(FOREIGN) + 1 + 12] if name.startswith(f"{FOREIGN}/") else name


def find_entries(
    store: BlobStore, names: Iterable[str], connections: int, on_entry: Callable[[], None] = lambda: None
) -> Iterator[FoundEntry]:
    """These entries in their order, some read ahead; one that vanished meanwhile is left out."""
    for _, found in read_ahead(lambda name: find_entry(store, name), names, connections):
        on_entry()
        if found is not None:
            yield found


def find_entry(store: BlobStore, name: str) -> FoundEntry | None:
    """The entry of that blob; None when it is gone."""
    try:
        blob = store.read(name, max_bytes=MAX_ENTRY_BYTES)
    except NotFound:
        return None
    except ValueError as error:
        return FoundEntry(name, "", EntryState.UNREADABLE, None, None, b"", str(error))
    try:
        entry = decode_entry(name, blob.data)
    except BadInput as error:
        return FoundEntry(name, blob.info.etag, EntryState.UNREADABLE, None, None, blob.data, str(error))
    standing = read_standing(store, entry.dataset, entry.tile) if entry.tile else None
    if standing is not None and standing.is_done:
        state = EntryState.RESOLVED
    else:
        state = EntryState.DROPPED if entry.dropped else EntryState.OPEN
    return FoundEntry(name, blob.info.etag, state, entry, standing, blob.data)


def entry_names(store: BlobStore) -> list[str]:
    """The blob names of all entries, sorted: a name is there once, however many pointers lead to it."""
    return list(store.names(POISON_PREFIX))


def choose_entry(names: Sequence[str], wanted: str) -> str:
    """The blob name of the entry that a person means by its whole name, by dataset and tile, by the tile
    alone, or by the first digits of a foreign message's digest; BadInput names what comes near."""
    word = wanted.removeprefix(POISON_PREFIX)
    foreign = f"{POISON_PREFIX}{FOREIGN}/{word.removeprefix(f'{FOREIGN}/')}"
    is_digest = len(foreign) >= len(POISON_PREFIX) + len(FOREIGN) + 1 + SHORTEST_DIGEST
    web_tile = word.replace("/", "-")
    found = [
        name
        for name in names
        if name == POISON_PREFIX + word
        or name.endswith((f"/{word}", f"/{web_tile}"))
        or (is_digest and name.startswith(foreign))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(name.removeprefix(POISON_PREFIX) for name in found[:5])
        raise BadInput(f"several poison entries are named {wanted[:80]!r}: choose one of {several}")
    known = {name.rpartition("/")[2]: name for name in names} | {
        n.removeprefix(POISON_PREFIX): n for n in names
    }
    close = get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "`fleetctl poison list` lists them"
    raise BadInput(f"there is no poison entry {wanted[:80]!r}; {hint}")
