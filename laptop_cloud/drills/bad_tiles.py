"""Drills in which what is asked is bad: a tile that kills, messages that nobody of ours sent."""

from __future__ import annotations

import hashlib
import json
import random

from contract import artifact_names
from contract.outcomes import Cause
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.laws import Expected
from laptop_cloud.drills.play import Scene, finish
from laptop_cloud.drills.stage import Stage
from laptop_cloud.drills.toy_tiles import one_struck, region
from laptop_cloud.machines.fleet import Template

SHORT_LEASE = {"TILEFLEET_CONSUMER_LEASE_SECONDS": "3"}
"""A tile that kills is tried five times, and each time its lease has to run out."""
MOST_MESSAGE_BYTES = 60_000
"""The service takes 64 KiB."""


def killer_tile(scene: Scene) -> Cost:
    """One tile kills every worker that prepares it. From its second death on it runs alone, and after three more deaths
    it is given up; the others are done."""
    with scene.fleet(3, Template(environ=SHORT_LEASE, restart_seconds=0.2)) as stage:
        _, names = region(6)
        struck, share = one_struck(scene.seed, names)
        asked = stage.ask(6, fault="kill in prepare", fault_share=share, seed=scene.seed)
        return finish(
            stage, asked, Expected(given_up={struck: Cause.SILENT_DEATH}, may_be_charged={Cause.SILENT_DEATH})
        )


def hostile_messages(scene: Scene) -> Cost:
    """Malformed, huge and hostile messages lie among ours. Each is kept whole for a person to look at, no worker dies
    of one, and none is deleted unseen."""
    with scene.fleet(2) as stage:
        asked = stage.ask(12)
        hostile = _hostile(scene.chance, asked.job.id, asked.job.dataset)
        for body in hostile:
            scene.chance.choice([stage.queues.tiles, stage.queues.urgent]).send(body)
        return finish(stage, asked, Expected(foreign=len(hostile)), figures=lambda: _are_kept(stage, hostile))


def _hostile(chance: random.Random, job: str, dataset: str) -> list[str]:
    ours = {"v": 1, "job": job, "dataset": dataset, "generation": 1, "tile": "grid_-4.85_54.05"}
    return [
        "{",
        "null",
        "[]" * chance.randint(1, 100),
        "[" * 5_000,
        chance.choice("AZ\u00e9\u6f22") * chance.randint(2_048, MOST_MESSAGE_BYTES // 3),
        json.dumps({**ours, "v": chance.randint(2, 10**9)}),
        json.dumps({**ours, "tile": "../" * chance.randint(1, 20) + "etc/passwd"}),
        json.dumps({**ours, "dataset": "../../jobs"}),
        json.dumps({**ours, "generation": chance.choice([-1, 0, 1e308, "1", None, True])}),
        json.dumps({**ours, "tries": {"tile": -5}}),
        json.dumps({**ours, "past": [["a"] * 4] * 500}),
        json.dumps({**ours, "harmed": ["$(reboot)"]}),
        json.dumps({**ours, "command": "rm -rf /"}),
        json.dumps({**ours, "tile": "\u202e\x1b[2J".encode("unicode_escape").decode()}),
    ]


def _are_kept(stage: Stage, hostile: list[str]) -> str:
    kept = set(stage.store.names(artifact_names.poison_foreign("")))
    for body in hostile:
        if artifact_names.poison_foreign(hashlib.sha256(body.encode()).hexdigest()) not in kept:
            raise DrillFailed("a message that is not ours is kept as poison", f"{body[:60]!r} is nowhere")
    return f"{len(kept)} messages kept as they were"
