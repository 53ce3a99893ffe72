"""The check with which every drill ends: nothing lost, nothing done twice, nobody blamed who is innocent.

Looked at past the relay, after all workers have left, with the code of `fleetctl verify` and, beside it, with what
the toy recipe promises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from contract import artifact_names, ledger_events
from contract.commit import Committed, read_commit
from contract.errors import NotFound
from contract.outcomes import Cause
from contract.poison_entry import decode_entry
from contract.tile_id import TileId, parse_tile
from fleetctl.audit.verdict import Standing
from fleetctl.audit.verify import verify
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.stage import Asked, Stage
from laptop_cloud.drills.toy_tiles import artifact_name, expected_bytes

CONNECTIONS = 4
UNCHARGED = frozenset({Cause.EVICTED, Cause.HANDED_BACK, Cause.SOURCE})
"""They count, and delay, and hold nothing against the tile."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is special about one drill; by default every tile is committed once and charged with nothing."""

    given_up: Mapping[str, Cause] = field(default_factory=dict)
    """Tiles that were planted to fail, and the cause that their poison entries must name."""
    generations: Mapping[str, int] = field(default_factory=dict)
    """Of the tiles that were done again; the others have generation 1."""
    may_be_charged: Collection[Cause] = ()
    """What innocent tiles may have in their totals besides what charges nobody."""
    most_charged: int | None = None
    """So many innocent tiles at most are charged; None: any number."""
    foreign: int = 0
    """Messages that were none of ours."""


def check(stage: Stage, asked: Asked, expected: Expected) -> None:
    """DrillFailed names the first law that is broken."""
    _queues_are_empty(stage)
    _asked_is_committed_and_explained(stage, asked, expected)
    for name in asked.tiles:
        if name not in expected.given_up:
            committed = _committed_once(stage, asked, parse_tile(name), expected.generations.get(name, 1))
            _bytes_are_those_of_an_undisturbed_run(stage, asked, name, committed)
    _planted_tiles_are_explained(stage, asked, expected)
    _one_attempt_won(stage, asked)
    _innocent_tiles_are_uncharged(stage, asked, expected)


def check_cancelled(stage: Stage, asked: Asked) -> None:
    """Of a job that was cancelled: what is committed is whole, and the rest is explained by that."""
    audit = verify(stage.store, asked.job, connections=CONNECTIONS)
    if not audit.verdict.is_complete or not audit.verdict.standings[Standing.CANCELLED]:
        raise DrillFailed("what a cancelled job had finished stays", f"{audit.verdict}")
    for tile in audit.tiles_that_are(Standing.COMMITTED):
        committed = _committed_once(stage, asked, tile, 1)
        _bytes_are_those_of_an_undisturbed_run(stage, asked, tile.name, committed)


def _queues_are_empty(stage: Stage) -> None:
    for queue in (stage.queues.tiles, stage.queues.urgent):
        if depth := queue.depth():
            raise DrillFailed("no message is left", f"{depth} in {queue.name}")


def _asked_is_committed_and_explained(stage: Stage, asked: Asked, expected: Expected) -> None:
    law = "asked = committed + explained"
    audit = verify(stage.store, asked.job, connections=CONNECTIONS)
    verdict = audit.verdict
    wanted = len(asked.tiles) - len(expected.given_up)
    if verdict.is_complete and verdict.committed == wanted:
        return
    wrong = [
        f"{finding.tile}: {fault.kind} {fault.detail}"
        for finding in audit.findings
        for fault in finding.faults
    ]
    left = [tile.name for tile in audit.tiles_that_are(*(set(Standing) - {Standing.COMMITTED}))]
    standing = ", ".join(f"{count} {what}" for what, count in verdict.standings.items() if count)
    found = f"{verdict.asked} asked, {verdict.committed} committed, {verdict.wrong} wrong, {standing} {wrong}"
    suspicious = [finding.tile.name for finding in audit.findings] + left
    raise DrillFailed(law, found, next((t for t in suspicious if t not in expected.given_up), ""))


def _committed_once(stage: Stage, asked: Asked, tile: TileId, generation: int) -> Committed:
    law = "each tile is committed once per generation"
    names = set(stage.store.names(artifact_names.commits_prefix(asked.job.dataset, tile)))
    wanted = {artifact_names.commit(asked.job.dataset, tile, number) for number in range(1, generation + 1)}
    wanted |= {artifact_names.revocation(asked.job.dataset, tile, number) for number in range(1, generation)}
    committed = read_commit(stage.store, asked.job.dataset, tile, generation)
    if names != wanted or committed is None or not committed.is_published:
        raise DrillFailed(law, f"{sorted(names)}, generation {generation} was expected", tile.name)
    return committed


def _bytes_are_those_of_an_undisturbed_run(
    stage: Stage, asked: Asked, tile: str, committed: Committed
) -> None:
    law = "published bytes are those of an undisturbed run"
    wanted = expected_bytes(asked.job.dataset, tile, asked.settings)
    names = [artifact_name(tile, number) for number in range(int(asked.settings.get("artifacts", 1)))]
    if sorted(artifact.name for artifact in committed.record.artifacts) != sorted(names):
        raise DrillFailed(law, f"the commit names {committed.record.artifacts}", tile)
    for name in names:
        try:
            found = stage.store.read(artifact_names.published(asked.job.dataset, name)).data
        except NotFound:
            raise DrillFailed(law, f"{name} is missing", tile) from None
        if found != wanted:
            raise DrillFailed(law, f"{name} has other bytes", tile)


def _planted_tiles_are_explained(stage: Stage, asked: Asked, expected: Expected) -> None:
    law = "what is given up deserves it, with the right cause"
    prefix = f"{artifact_names.POISON_PREFIX}{asked.job.dataset}/"
    found = {
        name.removeprefix(prefix): decode_entry(name, stage.store.read(name).data)
        for name in stage.store.names(prefix)
    }
    for tile in found.keys() | expected.given_up.keys():
        wanted = expected.given_up.get(tile)
        cause = found[tile].cause if tile in found else None
        if cause != wanted:
            raise DrillFailed(law, f"given up for {cause}, expected {wanted}", tile)
    foreign = list(stage.store.names(artifact_names.poison_foreign("")))
    if len(foreign) != expected.foreign:
        raise DrillFailed(law, f"{len(foreign)} foreign messages were kept, {expected.foreign} were sent")


def _one_attempt_won(stage: Stage, asked: Asked) -> None:
    """The ledger knows one attempt per tile and generation that says `done`."""
    won: dict[tuple[str, int], set[str]] = {}
    for event in stage.events(ledger_events.DONE):
        if event["job"] == asked.job.id:
            won.setdefault((event["tile"], event["generation"]), set()).add(event["attempt"])
    for (tile, generation), attempts in won.items():
        if len(attempts) > 1:
            law = "each tile is committed once per generation"
            raise DrillFailed(law, f"generation {generation}: {sorted(attempts)} say that they did it", tile)


def _innocent_tiles_are_uncharged(stage: Stage, asked: Asked, expected: Expected) -> None:
    law = "innocent tiles are uncharged"
    charged = Counter[str]()
    for event in stage.events(ledger_events.TILE_RECEIVED):
        tile = event["tile"]
        if event["job"] != asked.job.id or tile in expected.given_up:
            continue
        causes = {Cause(cause) for cause in event["tries"]} - UNCHARGED
        if not causes <= set(expected.may_be_charged):
            raise DrillFailed(law, f"it was received with {event['tries']} against it", tile)
        charged[tile] += bool(causes)
    if expected.most_charged is not None and len(+charged) > expected.most_charged:
        found = f"{len(+charged)} tiles are charged, {expected.most_charged} may be: {sorted(+charged)}"
        raise DrillFailed(law, found, next(iter(+charged)))
