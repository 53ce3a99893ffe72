"""What must hold when a virtual fleet has ended, whatever happened to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from contract import artifact_names
from contract.commit import read_commit, read_standing
from contract.errors import NotFound
from contract.json_text import parse_object
from contract.outcomes import Outcome
from contract.tile_id import TileId
from laptop_cloud.virtual.charges import DESERVED
from laptop_cloud.virtual.recipe import ARTIFACTS, artifact_bytes, artifact_name
from laptop_cloud.virtual.scenario import Nature
from laptop_cloud.virtual.world import Broken, World


def broken_laws(world: World) -> list[Broken]:
    """All that a finished world says against the programs; empty is what it should be."""
    return [
        *world.broken,
        *_it_ends(world),
        *_asked_is_committed_and_explained(world),
        *_committed_once(world),
        *_published_bytes(world),
        *_nothing_is_deleted_unseen(world),
        *_staging_is_explained(world),
        *_checkpoints_are_explained(world),
        *(Broken("no program meets an error that it did not expect", fault) for fault in world.faults),
    ]


def _it_ends(world: World) -> Iterator[Broken]:
    queues = world.queues()
    for queue in (queues.tiles, queues.urgent):
        if queue.depth():
            yield Broken("it ends, and no message is left", f"{queue.depth()} messages in {queue.name}")


def _asked_is_committed_and_explained(world: World) -> Iterator[Broken]:
    law = "asked = committed + explained, each with the right cause"
    for tile in world.tiles:
        nature, poisoned = world.nature(tile), _poison_cause(world, tile)
        if nature in DESERVED:
            if poisoned != DESERVED[nature]:
                yield Broken(law, f"{nature}, so poison of {DESERVED[nature]}, not {poisoned}", tile.name)
            continue
        if poisoned is not None:
            yield Broken("no innocent tile is given up", f"{nature}, and poison of {poisoned}", tile.name)
        generation = 2 if tile.name in world.redone else 1
        standing = read_standing(world.store(), world.job.dataset, tile)
        if not (standing.is_done and standing.newest_committed == generation):
            yield Broken(law, f"{nature}, committed {sorted(standing.committed)}", tile.name)
            continue
        committed = read_commit(world.store(), world.job.dataset, tile, generation)
        outcome = Outcome.EMPTY if nature is Nature.EMPTY else Outcome.DONE
        if committed is None or not committed.is_published or committed.record.outcome is not outcome:
            yield Broken(law, f"{nature}, not published as {outcome}", tile.name)


def _committed_once(world: World) -> Iterator[Broken]:
    for name, times in world.commits.items():
        if times > 1:
            tile = name.split("/")[-2]
            yield Broken("a tile is committed once per generation", f"{name} {times} times", tile)


def _published_bytes(world: World) -> Iterator[Broken]:
    law = "published bytes are those of an undisturbed run"
    store, root = world.store(), artifact_names.dataset_root(world.job.dataset)
    found = set(store.names(f"{root}virtual/"))
    for tile in world.tiles:
        if world.nature(tile) not in {Nature.GOOD, Nature.FLAKY}:
            continue
        for number in range(ARTIFACTS):
            name = root + artifact_name(tile, number)
            if name not in found:
                yield Broken(law, f"{name} is missing", tile.name)
            elif store.read(name).data != artifact_bytes(number, world.result(tile)):
                yield Broken(law, f"{name} has other bytes", tile.name)
            found.discard(name)
    for name in sorted(found):
        yield Broken(law, f"{name} was published by nobody's request")


def _nothing_is_deleted_unseen(world: World) -> Iterator[Broken]:
    law = "a message that is not ours is kept as poison"
    names = set(world.store().names(artifact_names.POISON_PREFIX))
    for body in world.hostile:
        name = artifact_names.poison_foreign(
            hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
        )
        if name not in names:
            yield Broken(law, f"{body[:60]!r} is nowhere")
    for held in _all_messages(world):
        if (pointed := str(parse_object(held, "a poison message").get("poison"))) not in names:
            yield Broken("a poison message points to its entry", f"{pointed} is not there")


def _staging_is_explained(world: World) -> Iterator[Broken]:
    """Only attempts that were cut off, or that the storage failed, may leave something behind. One that lost its lease
    leaves its uploads to whoever commits the tile, and that one may be cut off, too."""
    store, tiles = world.store(), {tile.path_name: tile for tile in world.tiles}
    for name in store.names("staging/"):
        _, _, tile, generation, attempt, *_ = name.split("/")
        number = int(generation.removeprefix("g"))
        committed = read_commit(store, world.job.dataset, tiles[tile], number)
        winner = committed.record.attempt if committed is not None else attempt
        if not {attempt, winner} & world.cut_off:
            yield Broken("staging is cleared", f"{name} was left by an attempt that nothing disturbed", tile)


def _checkpoints_are_explained(world: World) -> Iterator[Broken]:
    """Who commits a tile clears all its checkpoints, unless it was cut off. What another attempt saves after that
    it clears itself, unless it dies first: that is left to the lifecycle rule."""
    store, tiles = world.store(), {tile.path_name: tile for tile in world.tiles}
    for saved in store.listing("checkpoints/"):
        _, _, tile, generation, *_ = saved.name.split("/")
        number = int(generation.removeprefix("g"))
        committed = read_commit(store, world.job.dataset, tiles[tile], number)
        if committed is None or committed.record.attempt in world.cut_off:
            continue
        commit = store.info(artifact_names.commit(world.job.dataset, tiles[tile], number))
        if saved.modified < commit.modified:
            yield Broken("checkpoints are cleared after the commit", f"{saved.name} is still there", tile)


def _poison_cause(world: World, tile: TileId) -> str | None:
    try:
        blob = world.store().read(artifact_names.poison(world.job.dataset, tile))
    except NotFound:
        return None
    return str(parse_object(blob.data, "the poison entry").get("cause"))


def _all_messages(world: World) -> Iterator[str]:
    queue = world.queues().poison
    while held := queue.receive(32, 3600):
        yield from (message.body for message in held)
