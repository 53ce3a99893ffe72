"""Where everything lies in the container: pure, the same input gives the same name.

datasets/<dataset>/dataset.json                 the pins
datasets/<dataset>/<artifact>                   published results, the dataset's own layout
datasets/<dataset>/commits/<tile>/g<N>          the record that makes a tile done
datasets/<dataset>/commits/<tile>/g<N>.revoked  why it no longer counts
staging/<dataset>/<tile>/g<N>/<attempt>/<artifact>   what an attempt uploaded (lifecycle rule: 30 days)
jobs/<job>/job.json  asked.txt  state.json  cursor.json  budget.json
jobs/<job>/redo/<time>-<digest>   a redo's plan, and how far it came
jobs/<job>/prioritised   the tiles that were put on the urgent queue later than the others
poison/<dataset>/<tile>   poison/foreign/<sha256>
replayed/<dataset>/<tile>/<digest>   a poison entry as it was when its tile was asked again
weights/<sha256>   boundaries/<sha256>.fgb
cubes/<days>d/<period>/<settings>/<tile>/record.json  <sha256>.npz   prepared tiles, for that long at most
ledger/<stream>/<number>.jsonl   heartbeats/<worker>
evictions/<vm>/<boot>   that this boot of this machine ended by an eviction, whoever saw it first
drains/<vm>   that somebody asked this machine's workers to finish and leave
checkpoints/<dataset>/<tile>/g<N>/<attempt>/<blocks>   what an interrupted attempt leaves, deleted after the commit
calibration/<size>/<region>.json   how long a tile takes there, and what it costs, as measured
control/memory.json  leader  intake.json   what the controller remembers, who leads, whether intake is paused
control/wishes/<vm>/<id>   what a person wants of a machine, until the controller has taken it up
control/alerts.json  history.npz   what people were told, what the ledger came to so far
suspicions/<dataset>/<n>   the n-th worker that fell over two tiles of it in a row
second/<dataset>/<tile>/g<N>-<n>   who makes the n-th attempt beside the message's holder
"""

from __future__ import annotations

import re

from contract.errors import BadInput
from contract.tile_id import TileId

_ARTIFACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*){0,6}")
_RECORD = re.compile(r"g([1-9]\d{0,3})(\.revoked)?")
RESERVED_IN_DATASET = ("commits/", "dataset.json")

JOBS_PREFIX = "jobs/"
DATASETS_PREFIX = "datasets/"
LEDGER_PREFIX = "ledger/"
HEARTBEATS_PREFIX = "heartbeats/"
POISON_PREFIX = "poison/"
EVICTIONS_PREFIX = "evictions/"
CONTROLLER_MEMORY = "control/memory.json"
STOP_AFTER = "stop_after"
"""Metadata of the controller's record: epoch seconds from which on nothing of the fleet is to be paid for."""
CONTROLLER_LEADER = "control/leader"
CALIBRATION_PREFIX = "calibration/"
INTAKE_PAUSE = "control/intake.json"
WISHES_PREFIX = "control/wishes/"
ALERTS = "control/alerts.json"
HISTORY = "control/history.npz"


def dataset_root(dataset: str) -> str:
    return f"{DATASETS_PREFIX}{dataset}/"


def dataset_record(dataset: str) -> str:
    return f"{dataset_root(dataset)}dataset.json"


def published(dataset: str, artifact: str) -> str:
    """The dataset's own name for an artifact, given by its path below the dataset's root."""
    if not _ARTIFACT.fullmatch(artifact) or artifact.startswith(RESERVED_IN_DATASET):
        raise BadInput(f"{artifact[:80]!r} cannot name an artifact")
    return dataset_root(dataset) + artifact


def commits_prefix(dataset: str, tile: TileId | None = None) -> str:
    """All commits of a dataset, or of one of its tiles."""
    return f"{dataset_root(dataset)}commits/" + (f"{tile.path_name}/" if tile else "")


def commit(dataset: str, tile: TileId, generation: int) -> str:
    return f"{commits_prefix(dataset, tile)}g{generation}"


def revocation(dataset: str, tile: TileId, generation: int) -> str:
    return f"{commit(dataset, tile, generation)}.revoked"


def generation_in(record: str) -> tuple[int, bool] | None:
    """Which generation a commit or a revocation is of, by the last part of its name, and whether it is a
    revocation; None for what no program of ours named."""
    match = _RECORD.fullmatch(record)
    return (int(match.group(1)), match.group(2) is not None) if match else None


def staging_of(dataset: str) -> str:
    """What all attempts at a dataset's tiles uploaded; the tile's path name follows."""
    return f"staging/{dataset}/"


def staging_prefix(dataset: str, tile: TileId, generation: int, attempt: str) -> str:
    return f"{staging_of(dataset)}{tile.path_name}/g{generation}/{attempt}/"


def job_record(job: str) -> str:
    return f"{JOBS_PREFIX}{job}/job.json"


def job_asked(job: str) -> str:
    return f"{JOBS_PREFIX}{job}/asked.txt"


def job_state(job: str) -> str:
    return f"{JOBS_PREFIX}{job}/state.json"


def job_budget(job: str) -> str:
    """What it may cost."""
    return f"{JOBS_PREFIX}{job}/budget.json"


def job_cursor(job: str) -> str:
    """The enqueue cursor; a blob lease on it admits one producer."""
    return f"{JOBS_PREFIX}{job}/cursor.json"


def job_redo(job: str, redo: str = "") -> str:
    """One redo's plan, or the prefix of all of a job's."""
    return f"{JOBS_PREFIX}{job}/redo/{redo}"


def job_prioritised(job: str) -> str:
    return f"{JOBS_PREFIX}{job}/prioritised"


def poison(dataset: str, tile: TileId) -> str:
    return f"{POISON_PREFIX}{dataset}/{tile.path_name}"


def poison_foreign(sha256: str) -> str:
    return f"{POISON_PREFIX}foreign/{sha256}"


def replayed(entry: str, digest: str) -> str:
    """Where the poison entry of that name is kept once its tile is asked again."""
    return f"replayed/{entry.removeprefix(POISON_PREFIX)}/{digest}"


def weights(sha256: str) -> str:
    return f"weights/{sha256}"


def boundaries(sha256: str) -> str:
    """Land polygons as FlatGeobuf, made from the boundaries file of that digest."""
    return f"boundaries/{sha256}.fgb"


def cube_prefix(days: int, period: str, settings: str, tile: TileId) -> str:
    """One prepared tile. `days`: which lifecycle rule clears it; `settings`: digest of what its bytes follow from."""
    return f"cubes/{days}d/{period}/{settings}/{tile.path_name}/"


def ledger_stream(stream: str, number: int) -> str:
    return f"{LEDGER_PREFIX}{stream}/{number:06d}.jsonl"


def heartbeat(worker: str) -> str:
    return f"{HEARTBEATS_PREFIX}{worker}"


def eviction(vm: str, boot_id: str) -> str:
    return f"{EVICTIONS_PREFIX}{vm}/{boot_id}"


def calibration(size: str, region: str) -> str:
    """How fast and dear a tile was on a machine of that size in that region."""
    return f"{CALIBRATION_PREFIX}{size}/{region}.json"


def drain(vm: str) -> str:
    return f"drains/{vm}"


def checkpoints_of(dataset: str) -> str:
    """All checkpoints of a dataset; the tile's path name follows."""
    return f"checkpoints/{dataset}/"


def checkpoints_prefix(dataset: str, tile: TileId, generation: int) -> str:
    """All checkpoints of one tile's generation, of all its attempts."""
    return f"{checkpoints_of(dataset)}{tile.path_name}/g{generation}/"


def checkpoint(dataset: str, tile: TileId, generation: int, attempt: str, blocks: int) -> str:
    """What `attempt` had after so many blocks; zero-padded, so that a series lists in its order."""
    return f"{checkpoints_prefix(dataset, tile, generation)}{attempt}/{blocks:06d}"


def second_attempts_of(dataset: str) -> str:
    """All claims to attempts that hold no message; the tile's path name follows."""
    return f"second/{dataset}/"


def suspicion(dataset: str, number: int) -> str:
    """That a worker became unfit because two tiles of the dataset failed at once in a row."""
    return f"suspicions/{dataset}/{number}"


def second_attempt(dataset: str, tile: TileId, generation: int, number: int) -> str:
    """The claim to the n-th attempt that holds no message."""
    return f"{second_attempts_of(dataset)}{tile.path_name}/g{generation}-{number}"


def wish(vm: str, wish_id: str) -> str:
    """One thing that a person wants of a machine."""
    return f"{WISHES_PREFIX}{vm}/{wish_id}"
