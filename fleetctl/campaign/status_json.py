"""A look at the fleet for programs: the same facts as the screen, with units in their names."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fleetctl.campaign.status import FleetView, JobView


def status_json(view: FleetView) -> dict[str, Any]:
    """Plain JSON values only."""
    return {
        "is_complete": view.is_complete,
        "jobs": [_job(job) for job in view.jobs],
        "unreadable": [asdict(job) for job in view.unreadable],
        "queues": asdict(view.depths),
        "workers": [
            {"age_seconds": round(seen.age_seconds, 1), **asdict(seen.heartbeat)}
            for seen in view.heartbeats.seen
        ],
        "controller": asdict(view.controller) if view.controller else None,
    }


def _job(view: JobView) -> dict[str, Any]:
    return {
        "id": view.history.job.id,
        "dataset": view.history.job.dataset,
        "state": view.state.value if view.state else None,
        "is_untrained": view.history.is_untrained,
        "left": view.progress.left,
        **asdict(view.progress),
    }
