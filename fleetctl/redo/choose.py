"""Which committed tiles of a job are to be done again: those of a list, the corrupt ones, those that match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.tile_id import TileId, parse_tile
from fleetctl.audit.verify import Audit
from fleetctl.campaign.history import JobHistory, ListedCommit, read_records
from fleetctl.redo.condition import Condition, flatten

SHOWN_FIELDS = 40
EXAMPLES = 5
OnTile = Callable[[], None]


@dataclass(frozen=True, slots=True)
class RedoTile:
    """One tile, and which of its generations no longer counts."""

    tile: TileId
    generation: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person asked for, as tiles."""

    tiles: tuple[RedoTile, ...]
    left_out: int = 0
    """Asked tiles that have no result which could be redone: they are queued, or poisoned."""
    examples: tuple[str, ...] = field(default=())
    """Why, for a few of them."""


def choose_listed(history: JobHistory, wanted: Iterable[str]) -> Choice:
    """The tiles of these names. BadInput names one that is no tile, or that the job does not ask."""
    asked = {tile.name: tile for tile in history.asked}
    commits = {commit.tile: commit for commit in history.commits}
    names = dict.fromkeys(wanted)
    for name in names:
        if parse_tile(name).name not in asked:
            close = get_close_matches(name, asked, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise BadInput(f"{history.job.id} does not ask {name}{hint}")
    tiles = [asked[name] for name in names]
    done = [redo_tile(tile, commits[tile.path_name]) for tile in tiles if tile.path_name in commits]
    return Choice(tuple(done), left_out=len(tiles) - len(done))


def choose_where(
    store: BlobStore, history: JobHistory, condition: Condition, connections: int, on_tile: OnTile
) -> Choice:
    """The tiles whose commits match. BadInput names the known fields where a commit has none of that name."""
    chosen: list[RedoTile] = []
    known: set[str] = set()
    tiles = {tile.path_name: tile for tile in history.asked}
    for commit, record in read_records(store, history.commits, connections):
        facts = flatten({**record.provenance, **record.done})
        known |= facts.keys()
        if condition.holds(facts):
            chosen.append(redo_tile(tiles[commit.tile], commit))
        on_tile()
    if history.commits:
        _check_fields(condition, known)
    return Choice(tuple(chosen), left_out=len(history.asked) - len(history.commits))


def choose_corrupt(audit: Audit) -> Choice:
    """The tiles whose result is damaged, as `verify` finds them."""
    corrupt = [finding for finding in audit.findings if finding.is_corrupt]
    first_faults = ((finding.tile, finding.faults[0]) for finding in corrupt[:EXAMPLES])
    return Choice(
        tiles=tuple(RedoTile(finding.tile, finding.generation) for finding in corrupt),
        left_out=audit.verdict.asked - audit.verdict.committed - audit.verdict.wrong,
        examples=tuple(
            f"{tile}: {fault.artifact or fault.kind} {fault.detail}" for tile, fault in first_faults
        ),
    )


def redo_tile(tile: TileId, commit: ListedCommit) -> RedoTile:
    """The tile with the generation that its listed commit is of."""
    return RedoTile(tile, int(commit.blob_name.rpartition("/g")[2]))


def _check_fields(condition: Condition, known: set[str]) -> None:
    for name in sorted(condition.fields - known):
        close: Sequence[str] = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        fields = ", ".join(sorted(known)[:SHOWN_FIELDS])
        raise BadInput(f"--where: no commit says {name!r}; {hint}known: {fields}")
